package wire

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/winnow-video/winnow/workflows/job"
)

func TestOpenedReadsWithinItsSize(t *testing.T) {
	t.Parallel()
	f := NewOpened(bytes.NewReader([]byte("abcdef")), 5)
	for _, c := range []struct {
		off  int64
		n    int
		want string
		err  error
	}{{0, 3, "abc", nil}, {3, 2, "de", nil}, {3, 3, "de", io.EOF}, {5, 1, "", io.EOF}, {9, 1, "", io.EOF}} {
		p := make([]byte, c.n)
		n, err := f.ReadAt(p, c.off)
		if string(p[:n]) != c.want || err != c.err {
			t.Errorf("%d bytes at %d: %q, %v", c.n, c.off, p[:n], err)
		}
	}
	if f.Err() != nil || f.Transferred() != 7 {
		t.Errorf("%v, %d bytes were read", f.Err(), f.Transferred())
	}
}

// A file that ends before its size was cut short since: that stays known.
func TestFileThatBecameShorter(t *testing.T) {
	t.Parallel()
	f := NewOpened(bytes.NewReader([]byte("abc")), 5)
	for _, off := range []int64{2, 0} {
		_, err := f.ReadAt(make([]byte, 2), off)
		var failure *job.Failure
		if !errors.As(err, &failure) || failure.Code != job.InputChanged || !errors.Is(f.Err(), failure) {
			t.Errorf("at %d: %v, %v, want %s", off, err, f.Err(), job.InputChanged)
		}
	}
}
