// Package client decodes a video in a child process, winnow-decode: what goes
// in is a request and a source of byte ranges, what comes out is a clip or a typed
// failure. Whatever the video does to the decoder, it does to the child alone, which
// is bounded in time and memory, ended with all of its group, and always reaped.
//
// The activity in package workers and `winnow frames` call it; package wire is
// what it speaks, package decode the other end.
package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"

	"github.com/cenkalti/backoff/v5"

	"github.com/winnow-video/winnow/decode/wire"
	"github.com/winnow-video/winnow/workflows/job"
)

// Source is a video whose bytes can be read by range.
type Source interface {
	// Size is in bytes.
	Size() int64
	// ReadRange fills p from off. Its error ends the decoding, and is what Run returns.
	ReadRange(ctx context.Context, p []byte, off int64) error
}

// Local is a Source that is an open file. The child is given it and reads it by itself.
type Local interface {
	Source
	// Opened is the file, open for reading.
	Opened() *os.File
	// Unchanged fails where the content is no longer what it was when it was opened.
	Unchanged() error
}

// Clip is a decoded clip and what it cost.
type Clip struct {
	*wire.Clip
	Fetched int64 // bytes read from the source
}

// Decoder runs winnow-decode.
type Decoder struct {
	Path string // of the program
}

// Run decodes one clip. It fills in the request's version and size, and its defaults.
// The error is a *job.Failure, what the source failed with, or ctx's. Limits.Wall
// does not count time spent waiting for the source. Where a child died that was to
// decode on a device, another one decodes in software.
func (d Decoder) Run(ctx context.Context, req wire.Request, src Source) (*Clip, error) {
	req.V, req.Size = wire.Version, src.Size()
	req = req.WithDefaults()
	if err := req.Validate(); err != nil {
		return nil, err
	}
	clip, err := d.run(ctx, req, src)
	if !diedOnDevice(req, err) || ctx.Err() != nil {
		return clip, err
	}
	return d.withoutDevice(ctx, req, src, err)
}

// run decodes in one child.
func (d Decoder) run(ctx context.Context, req wire.Request, src Source) (*Clip, error) {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	runtime.LockOSThread() // the kernel kills the child when the thread that started it ends
	defer runtime.UnlockOSThread()
	child, err := start(d.Path, req, src)
	if err != nil {
		return nil, err
	}
	cache := newCache(src)
	bytes, read, err := child.tend(ctx, end, req, cache)
	fetched := cache.close() + read
	if local, ok := src.(Local); ok && ctx.Err() == nil {
		if changed := local.Unchanged(); changed != nil { // whatever the child made of it
			return nil, changed
		}
	}
	if err != nil {
		return nil, err
	}
	clip, err := wire.ParseClip(bytes)
	if err != nil {
		return nil, job.Fail(job.StageDecode, job.InternalError, "%v", err)
	}
	return &Clip{Clip: clip, Fetched: fetched}, nil
}

// Build names the decoder's build: clips of different builds may differ.
func (d Decoder) Build(ctx context.Context) (string, error) {
	build, err := backoff.Retry(ctx, func() (string, error) { return d.askBuild(ctx) }, backoff.WithMaxTries(4))
	if err != nil {
		return "", fmt.Errorf("ask %s for its version: %w", d.Path, err)
	}
	return build, nil
}

// askBuild fails for good, unless something killed the child before it could answer.
func (d Decoder) askBuild(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, d.Path, "--version").Output()
	switch {
	case err == nil:
		return string(bytes.TrimSpace(out)), nil
	case killedBy(err) != 0:
		return "", err
	}
	return "", backoff.Permanent(err)
}

// mostBytes bounds the clip that req can be answered with.
func mostBytes(req wire.Request) int64 {
	const headers = 1 << 20
	if req.Image.Size == 0 {
		return req.Limits.Memory + headers
	}
	edge := int64(req.Image.Size)
	return int64(req.Sampling.Count)*(edge*edge*3+16) + headers
}

// outcome is why there is no clip: what the child was ended for, else what it
// said, else how it died. A SIGKILL that is not ours is nothing a video can do: the
// same video may well decode the next time.
func outcome(ctx context.Context, result, died error, stderr string) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	if isFailure(result) {
		return result
	}
	first, _, _ := strings.Cut(strings.TrimSpace(stderr), "\n")
	code := job.InputCrash
	switch {
	case strings.Contains(stderr, "out of memory") || strings.Contains(stderr, "cannot allocate memory"):
		code = job.InputMemory
	case killedBy(died) == syscall.SIGKILL && endedEarly(result): // else it was ours, for what the child wrote
		code = job.CapacityKilled
	}
	return job.Fail(job.StageDecode, code, "the decoder ended without a result (%v; %v): %s", died, result, first)
}

// killedBy is the signal that ended a process, 0 where it ended by itself.
func killedBy(died error) syscall.Signal {
	var ended *exec.ExitError
	if !errors.As(died, &ended) {
		return 0
	}
	if status, ok := ended.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return status.Signal()
	}
	return 0
}

func endedEarly(result error) bool {
	return errors.Is(result, io.EOF) || errors.Is(result, io.ErrUnexpectedEOF)
}

func isFailure(err error) bool {
	var failure *job.Failure
	return errors.As(err, &failure)
}
