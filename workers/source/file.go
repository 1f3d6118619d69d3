package source

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"

	"github.com/winnow-video/winnow/workflows/job"
)

// file is a local file under the digest of its content.
type file struct {
	*os.File
	stamp  stamp
	digest string
}

func openFile(ctx context.Context, path string, memo *Memo) (Source, error) {
	opened, err := os.Open(path)
	if err != nil {
		return nil, fileFailure(path, err)
	}
	f := &file{File: opened}
	if err := f.identify(ctx, path, memo); err != nil {
		opened.Close()
		return nil, err
	}
	return f, nil
}

func (f *file) identify(ctx context.Context, path string, memo *Memo) error {
	info, err := f.Stat()
	if err != nil {
		return fileFailure(path, err)
	}
	if !info.Mode().IsRegular() {
		return job.Fail(job.StageFetch, job.InputNotVideo, "%s is no regular file", path)
	}
	f.stamp = stampOf(path, info)
	if f.digest, err = memo.digest(ctx, f.File, f.stamp); err != nil {
		return fileFailure(path, err)
	}
	return f.Unchanged()
}

func (f *file) ID() string  { return "sha256-" + f.digest }
func (f *file) Size() int64 { return f.stamp.Size }

func (f *file) ReadRange(_ context.Context, p []byte, off int64) error {
	if _, err := f.ReadAt(p, off); errors.Is(err, io.EOF) {
		return changed("it became shorter")
	} else if err != nil {
		return fileFailure(f.Name(), err)
	}
	return f.Unchanged()
}

// Opened gives the file to who reads it by itself: see client.Local.
func (f *file) Opened() *os.File { return f.File }

// Unchanged fails where the content is no longer what ID names.
func (f *file) Unchanged() error {
	info, err := f.Stat()
	if err != nil {
		return fileFailure(f.Name(), err)
	}
	if stampOf(f.stamp.Path, info) != f.stamp {
		return changed("its size or time differs")
	}
	return nil
}

func fileFailure(path string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return job.Fail(job.StageFetch, job.InputMissing, "%s: no such file", path)
	case errors.Is(err, fs.ErrPermission):
		return job.Fail(job.StageFetch, job.InputForbidden, "%s: permission denied", path)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	}
	return job.Fail(job.StageFetch, job.InputUnreachable, "%v", err)
}
