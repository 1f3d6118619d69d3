package client

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/winnow-video/winnow/workflows/job"
)

func TestFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, []byte("abcdef"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	p := make([]byte, 3)
	if err := f.ReadRange(t.Context(), p, 2); err != nil || string(p) != "cde" || f.Size() != 6 {
		t.Errorf("%q of %d bytes: %v", p, f.Size(), err)
	}
	if err := f.Unchanged(); err != nil {
		t.Error(err)
	}
	if err := os.Truncate(path, 3); err != nil {
		t.Fatal(err)
	}
	var failure *job.Failure
	if err := f.ReadRange(t.Context(), p, 2); !errors.As(err, &failure) || failure.Code != job.InputChanged {
		t.Errorf("after truncation: %v", err)
	}
	if err := f.Unchanged(); !errors.As(err, &failure) || failure.Code != job.InputChanged {
		t.Errorf("after truncation: %v", err)
	}
}

func TestOpenFileRefuses(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"absent", "."} {
		var failure *job.Failure
		if _, err := OpenFile(path); !errors.As(err, &failure) || failure.Code != job.InputMissing {
			t.Errorf("%s: %v, want input/missing", path, err)
		}
	}
}
