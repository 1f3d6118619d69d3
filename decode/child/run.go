package child

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/winnow-video/winnow/decode/wire"
	"github.com/winnow-video/winnow/workflows/job"
)

// Run has program, a winnow-decode, make req's clip from src, and returns the
// clip's safetensors bytes with its trailer. beat, if not nil, is called about
// once a second. Reads of src must end when ctx does: Run waits for one under way.
//
// An error is a *job.Failure where the video or the decoder is at fault, what
// src.ReadAt returned where that failed, and ctx's cause where ctx ended.
func Run(ctx context.Context, program string, req wire.Request, src io.ReaderAt, beat func()) ([]byte, wire.Trailer, error) {
	if err := req.Validate(); err != nil {
		return nil, wire.Trailer{}, job.Fail(job.StageDecode, job.ConfigInvalid, "decode request: %v", err)
	}
	if beat == nil {
		beat = func() {}
	}
	p, err := start(program, req)
	if err != nil {
		return nil, wire.Trailer{}, job.Fail(job.StageDecode, job.InternalError, "start the decoder: %v", err)
	}
	r := &run{process: p, req: req, blocks: newBlocks(src, req.Source.Size)}
	return r.outcome(ctx, beat)
}

// run is one child at work.
type run struct {
	*process
	req     wire.Request
	blocks  *blocks
	waiting atomic.Bool // for the source
}

// outcome tends the child until it has ended and been reaped.
func (r *run) outcome(ctx context.Context, beat func()) ([]byte, wire.Trailer, error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	killed := context.AfterFunc(ctx, r.kill)
	var tending sync.WaitGroup
	tending.Go(func() { watch(ctx, r.pid, r.req.Limits, &r.waiting, beat, stop) })
	tending.Go(func() { r.serve(stop) })

	clip, trailer, readErr := wire.ReadResult(r.stdout)
	if readErr != nil {
		r.kill() // it may live on after closing stdout
	}
	waitErr := <-r.ended
	killed()
	cause := context.Cause(ctx)
	stop(nil)
	r.close()
	tending.Wait()
	switch {
	case readErr == nil && trailer.OK && waitErr == nil:
		return clip, trailer, nil
	case cause != nil:
		return nil, trailer, cause
	case readErr == nil && trailer.Failure != nil:
		return nil, trailer, trailer.Failure
	}
	return nil, trailer, r.died(readErr, waitErr)
}

// serve answers the child's questions until it asks no more. A source that
// cannot be read stops the child with the source's own error.
func (r *run) serve(stop context.CancelCauseFunc) {
	for {
		q, err := wire.ReadQuestion(r.ranges)
		if err != nil {
			return
		}
		r.waiting.Store(true)
		data, err := r.blocks.read(q.Offset, q.Length)
		r.waiting.Store(false)
		if err != nil {
			stop(err)
			_ = wire.WriteRefusal(r.ranges)
			return
		}
		if wire.WriteAnswer(r.ranges, data) != nil {
			return
		}
	}
}

// died is the failure of a child that ended without saying why.
func (r *run) died(readErr, waitErr error) *job.Failure {
	said := r.stderr.firstLine()
	if strings.Contains(said, "out of memory") || strings.Contains(said, "cannot allocate memory") {
		return outOfMemory(r.req.Limits.Memory)
	}
	how := "ended without a result"
	if waitErr != nil {
		how = waitErr.Error()
	}
	if !errors.Is(readErr, wire.ErrNoTrailer) && readErr != nil {
		how += "; " + readErr.Error()
	}
	if said != "" {
		how += ": " + said
	}
	return job.Fail(job.StageDecode, job.InputCrash, "the decoder died on this video: %s", how)
}

// Build is program's build: clips of one build are equal, byte for byte.
func Build(ctx context.Context, program string) (string, error) {
	out, err := exec.CommandContext(ctx, program, "--version").Output()
	if err != nil {
		return "", fmt.Errorf("%s --version: %w", program, err)
	}
	return strings.TrimSpace(string(out)), nil
}
