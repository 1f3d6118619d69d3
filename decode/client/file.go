package client

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"

	"github.com/winnow-video/winnow/workflows/job"
)

// File is a local file as a Source.
type File struct {
	file *os.File
	size int64
}

// OpenFile opens the file at path; the error is a *job.Failure. Close it.
func OpenFile(path string) (*File, error) {
	file, err := os.Open(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, job.Fail(job.StageFetch, job.InputMissing, "%v", err)
	case errors.Is(err, fs.ErrPermission):
		return nil, job.Fail(job.StageFetch, job.InputForbidden, "%v", err)
	case err != nil:
		return nil, job.Fail(job.StageFetch, job.InputUnreachable, "%v", err)
	}
	info, err := file.Stat()
	if err != nil || !info.Mode().IsRegular() {
		file.Close()
		return nil, job.Fail(job.StageFetch, job.InputMissing, "%s is not a regular file", path)
	}
	return &File{file: file, size: info.Size()}, nil
}

// Size implements Source.
func (f *File) Size() int64 { return f.size }

// ReadRange implements Source.
func (f *File) ReadRange(ctx context.Context, p []byte, off int64) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	_, err := f.file.ReadAt(p, off)
	if errors.Is(err, io.EOF) {
		return f.shorter()
	}
	if err != nil {
		return job.Fail(job.StageFetch, job.InputUnreachable, "%v", err)
	}
	return nil
}

// Opened implements Local.
func (f *File) Opened() *os.File { return f.file }

// Unchanged implements Local.
func (f *File) Unchanged() error {
	info, err := f.file.Stat()
	if err != nil {
		return job.Fail(job.StageFetch, job.InputUnreachable, "%v", err)
	}
	if info.Size() < f.size {
		return f.shorter()
	}
	return nil
}

func (f *File) shorter() error {
	return job.Fail(job.StageFetch, job.InputChanged, "%s became shorter while it was read", f.file.Name())
}

// Close closes the file.
func (f *File) Close() error { return f.file.Close() }
