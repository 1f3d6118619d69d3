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
	"os/exec"
	"strings"

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
// The error is a *job.Failure, what the source failed with, or ctx's.
func (d Decoder) Run(ctx context.Context, req wire.Request, src Source) (*Clip, error) {
	req.V, req.Size = wire.Version, src.Size()
	req = req.WithDefaults()
	if err := req.Validate(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, req.Limits.Wall, overtime(req.Limits))
	defer cancel()
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	child, err := start(d.Path, req)
	if err != nil {
		return nil, err
	}
	cache := newCache(src)
	served := child.serve(ctx, end, cache)
	watched := child.watch(ctx, end, req.Limits.Memory)
	clip, err := wire.ReadResult(child.stdout, mostBytes(req))
	died := child.reap(err != nil)
	<-served
	<-watched
	if err != nil {
		return nil, outcome(ctx, err, died, child.stderr.String())
	}
	parsed, err := wire.ParseClip(clip)
	if err != nil {
		return nil, job.Fail(job.StageDecode, job.InternalError, "%v", err)
	}
	return &Clip{Clip: parsed, Fetched: cache.fetched}, nil
}

// Build names the decoder's build: clips of different builds may differ.
func (d Decoder) Build(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, d.Path, "--version").Output()
	if err != nil {
		return "", fmt.Errorf("ask %s for its version: %w", d.Path, err)
	}
	return string(bytes.TrimSpace(out)), nil
}

func overtime(l job.Limits) error {
	return job.Fail(job.StageDecode, job.InputTimeout, "decoding took longer than limits.wall, %v", l.Wall)
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

// outcome is why there is no clip: what Run ended the child for, else what the child
// said, else how it died.
func outcome(ctx context.Context, result, died error, stderr string) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	var failure *job.Failure
	if errors.As(result, &failure) {
		return failure
	}
	first, _, _ := strings.Cut(strings.TrimSpace(stderr), "\n")
	code := job.InputCrash
	if strings.Contains(stderr, "out of memory") || strings.Contains(stderr, "cannot allocate memory") {
		code = job.InputMemory
	}
	return job.Fail(job.StageDecode, code, "the decoder ended without a result (%v; %v): %s", died, result, first)
}
