package wire

import (
	"errors"
	"io"
	"sync/atomic"

	"github.com/winnow-video/winnow/workflows/job"
)

// Opened is a source that the child was given open, on fd 4: it reads there what
// it would ask for over the socket, which costs 4 ms a megabyte. It is safe for
// concurrent use.
type Opened struct {
	file   io.ReaderAt
	size   int64
	read   atomic.Int64
	failed atomic.Pointer[job.Failure] // the first
}

// NewOpened reads a source of size bytes from file.
func NewOpened(file io.ReaderAt, size int64) *Opened { return &Opened{file: file, size: size} }

// ReadAt implements io.ReaderAt. An error other than io.EOF stays.
func (o *Opened) ReadAt(p []byte, off int64) (int, error) {
	if failed := o.failed.Load(); failed != nil {
		return 0, failed
	}
	within := p[:max(0, min(int64(len(p)), o.size-off))]
	n, err := o.file.ReadAt(within, off)
	o.read.Add(int64(n))
	switch {
	case n < len(within) && errors.Is(err, io.EOF):
		return n, o.fail(job.InputChanged, "the file became shorter while it was read")
	case n < len(within):
		return n, o.fail(job.InputUnreachable, "%v", err)
	case n < len(p):
		return n, io.EOF
	}
	return n, nil
}

func (o *Opened) fail(code job.Code, format string, args ...any) error {
	o.failed.CompareAndSwap(nil, job.Fail(job.StageFetch, code, format, args...))
	return o.failed.Load()
}

// Err is what ended the reading, if something did.
func (o *Opened) Err() error {
	if failed := o.failed.Load(); failed != nil {
		return failed
	}
	return nil
}

// Grain is how many bytes cost about as much to read as a few.
func (o *Opened) Grain() int { return 512 }

// Transferred is how many bytes were read.
func (o *Opened) Transferred() int64 { return o.read.Load() }
