package wire

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/winnow-video/winnow/workflows/job"
)

// served is a source of content, read through the protocol; ended is what ServeRanges returned.
func served(t *testing.T, content []byte, read func(p []byte, off int64) error) (r *Ranges, ended chan error) {
	t.Helper()
	ours, theirs := net.Pipe()
	t.Cleanup(func() { ours.Close() })
	ended = make(chan error, 1)
	go func() {
		ended <- ServeRanges(theirs, int64(len(content)), read)
		theirs.Close()
	}()
	t.Cleanup(func() { ours.Close() })
	return NewRanges(ours, int64(len(content))), ended
}

func from(content []byte) func(p []byte, off int64) error {
	return func(p []byte, off int64) error {
		copy(p, content[off:])
		return nil
	}
}

func TestRangesReadWhatIsThere(t *testing.T) {
	t.Parallel()
	content := make([]byte, 3*MaxRange+17)
	for i := range content {
		content[i] = byte(i * i >> 3)
	}
	r, _ := served(t, content, from(content))
	whole := make([]byte, len(content))
	if _, err := r.ReadAt(whole, 0); err != nil || !bytes.Equal(whole, content) {
		t.Fatalf("a read longer than MaxRange: %v", err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		off, n := rng.IntN(len(content)), rng.IntN(1000)
		p := make([]byte, n)
		got, err := r.ReadAt(p, int64(off))
		want := content[off:min(off+n, len(content))]
		if !bytes.Equal(p[:got], want) || (err == io.EOF) != (len(want) < n) {
			t.Fatalf("ReadAt(%d bytes, %d) = %d, %v", n, off, got, err)
		}
	}
	if err := iotest.TestReader(io.NewSectionReader(r, 0, 1000), content[:1000]); err != nil {
		t.Error(err)
	}
}

func TestRangesEnd(t *testing.T) {
	t.Parallel()
	r, _ := served(t, []byte("abc"), from([]byte("abc")))
	p := make([]byte, 4)
	if n, err := r.ReadAt(p, 3); n != 0 || err != io.EOF {
		t.Errorf("at the end: %d, %v", n, err)
	}
	if n, err := r.ReadAt(p, 99); n != 0 || err != io.EOF {
		t.Errorf("past the end: %d, %v", n, err)
	}
	if n, err := r.ReadAt(p, 1); n != 2 || err != io.EOF || string(p[:n]) != "bc" {
		t.Errorf("over the end: %q, %v", p[:n], err)
	}
	if _, err := r.ReadAt(p, -1); err == nil {
		t.Error("a negative offset was read")
	}
}

func TestRangesFailureReachesBothSidesAndStays(t *testing.T) {
	t.Parallel()
	changed := job.Fail(job.StageFetch, job.InputChanged, "it changed")
	r, ended := served(t, make([]byte, 10), func([]byte, int64) error { return changed })
	for range 2 {
		var failure *job.Failure
		if _, err := r.ReadAt(make([]byte, 4), 0); !errors.As(err, &failure) || *failure != *changed {
			t.Fatalf("%v, want %v", err, changed)
		}
	}
	if err := <-ended; !errors.Is(err, changed) {
		t.Errorf("the serving side ended with %v", err)
	}
	if r.Err() == nil {
		t.Error("Err forgot")
	}
}

func TestRangesServingEndsWithTheChild(t *testing.T) {
	t.Parallel()
	ours, theirs := net.Pipe()
	ours.Close()
	if err := ServeRanges(theirs, 1, from([]byte{1})); err != nil {
		t.Error(err)
	}
}

func TestRangesRefusesQuestions(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, ask, want string
	}{
		{"version", "\x02\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", "version 2"},
		{"length 0", "\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", "0 bytes at 0"},
		{"too long", "\x01\x00\x00\x00\x01\x00\x80\x00\x00\x00\x00\x00\x00\x00\x00\x00", "8388609 bytes"},
		{"past the end", "\x01\x00\x00\x00\x02\x00\x00\x00\x07\x00\x00\x00\x00\x00\x00\x00", "2 bytes at 7 of a source of 8"},
		{"negative", "\x01\x00\x00\x00\x02\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff", "of a source of 8"},
		{"cut", "\x01\x00\x00", "unexpected EOF"},
	} {
		conn := struct {
			io.Reader
			io.Writer
		}{strings.NewReader(c.ask), io.Discard}
		err := ServeRanges(conn, 8, func([]byte, int64) error { t.Errorf("%s: was read", c.name); return nil })
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

func FuzzServeRanges(f *testing.F) {
	f.Add([]byte("\x01\x00\x00\x00\x02\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, asks []byte) {
		const size = 64
		conn := struct {
			io.Reader
			io.Writer
		}{bytes.NewReader(asks), io.Discard}
		_ = ServeRanges(conn, size, func(p []byte, off int64) error {
			if len(p) == 0 || off < 0 || off+int64(len(p)) > size {
				t.Errorf("%d bytes at %d were asked of a source of %d", len(p), off, size)
			}
			return nil
		})
	})
}

func FuzzReadAnswer(f *testing.F) {
	f.Add([]byte("\x01\x00\x00\x00\x04\x00\x00\x00abcd"))
	f.Add([]byte("\x01\x01\x00\x00\x15\x00\x00\x00{\"code\":\"input/empty\"}"))
	f.Fuzz(func(t *testing.T, answer []byte) {
		p := make([]byte, 4)
		err := readAnswer(bytes.NewReader(answer), p)
		if err == nil && (len(answer) < answerHead+len(p) || !bytes.Equal(p, answer[answerHead:answerHead+len(p)])) {
			t.Errorf("%q answered %q", answer, p)
		}
	})
}
