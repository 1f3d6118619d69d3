package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"

	"github.com/winnow-video/winnow/infer/bundle"
	"github.com/winnow-video/winnow/workflows/control"
	"github.com/winnow-video/winnow/workflows/job"
)

// crew is how many of each program work.
type crew struct {
	infers  int // winnow-infer, a thread in its graphs each
	decodes int // children of `winnow worker` that decode at once
}

// fleet is a ground with Winnow's own programs at work on it.
type fleet struct {
	*ground
	digest string // of the bundle
	crew   []*child
}

func newFleet(ctx context.Context, p programs, c crew) (*fleet, error) {
	g, err := newGround(ctx, p)
	if err != nil {
		return nil, err
	}
	f := &fleet{ground: g}
	if err := f.hire(ctx, c); err != nil {
		return nil, errors.Join(err, f.close())
	}
	return f, nil
}

// hire starts the programs and waits until they take work.
func (f *fleet) hire(ctx context.Context, c crew) (err error) {
	if _, f.digest, err = bundle.Verify(ctx, f.bundle); err != nil {
		return err
	}
	if err := f.employ("winnow", "worker", "--state", f.state, "--decode-slots", fmt.Sprint(c.decodes)); err != nil {
		return err
	}
	for i := range c.infers {
		err := f.employ("winnow-infer", "--state", f.state, "--bundle", f.bundle, "--threads", "1", "--name", fmt.Sprint("infer-", i))
		if err != nil {
			return err
		}
	}
	return f.awaitInfers(ctx, c.infers)
}

func (f *fleet) employ(program string, args ...string) error {
	c, err := startChild(exec.Command(f.path(program), args...))
	if err == nil {
		f.crew = append(f.crew, c)
	}
	return err
}

// awaitInfers waits until so many winnow-infer have told that they serve the bundle.
func (f *fleet) awaitInfers(ctx context.Context, n int) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	for {
		serving, err := f.bus.Workers(ctx) // of any bundle: there is one
		if err == nil && len(serving) >= n {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%d of %d winnow-infer serve: %w", len(serving), n, errors.Join(err, ctx.Err()))
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// shares is the CPU time of what takes part in a job.
type shares struct {
	decoders time.Duration // winnow-decode
	winnow   time.Duration // the worker, or the plain loop
	infers   time.Duration // winnow-infer
	server   time.Duration // Temporal, NATS and S3
	client   time.Duration // this process
}

func (s shares) all() time.Duration { return s.decoders + s.winnow + s.infers + s.server + s.client }

func (s shares) minus(o shares) shares {
	return shares{s.decoders - o.decoders, s.winnow - o.winnow, s.infers - o.infers, s.server - o.server, s.client - o.client}
}

// spent is what everybody has used until now.
func (f *fleet) spent() (s shares, err error) {
	pids := []int{os.Getpid(), f.stack.pid()}
	for _, c := range f.crew { // the worker first
		pids = append(pids, c.pid())
	}
	all, err := uses(pids...)
	if err != nil {
		return s, err
	}
	s = shares{client: all[0].cpu, server: all[1].cpu, winnow: all[2].cpu, decoders: all[2].children}
	for _, infer := range all[3:] {
		s.infers += infer.cpu
	}
	return s, nil
}

// close stops what works, the last hired first.
func (f *fleet) close() (err error) {
	for i := len(f.crew) - 1; i >= 0; i-- {
		err = errors.Join(err, f.crew[i].stop())
	}
	return errors.Join(err, f.ground.close())
}

// workedRun is one job of real stages.
type workedRun struct {
	wall    time.Duration
	by      shares
	answers []string                            // in the order of the items
	cached  int                                 // items whose video's tokens an earlier run had made, by their records
	stages  map[job.Stage]control.StageProgress // by the job's events
}

// made is how often a stage did its work, rather than find it done.
func (r *workedRun) made(stage job.Stage) int {
	p := r.stages[stage]
	return p.Done - p.Cached - p.Failed
}

// work runs a job from its submission to its result files. All of its records are ok, or it is an error.
func (f *fleet) work(ctx context.Context, spec job.Spec, items []job.Item) (*workedRun, error) {
	manifest, err := job.WriteLines(items)
	if err != nil {
		return nil, err
	}
	spec.Manifest, spec.Bundle = "manifest.jsonl", f.bundle
	before, err := f.spent()
	if err != nil {
		return nil, err
	}
	began, out := time.Now(), &workedRun{}
	id, _, err := f.jobs.Submit(ctx, control.Submission{
		Spec: spec.WithDefaults(), Items: items, Manifest: bytes.NewReader(manifest), Bundle: f.digest,
	})
	if err != nil {
		return nil, err
	}
	if err := f.temporal.GetWorkflow(ctx, id.String(), "").Get(ctx, nil); err != nil {
		return nil, err
	}
	out.wall = time.Since(began)
	after, err := f.spent()
	if err != nil {
		return nil, err
	}
	out.by = after.minus(before)
	if out.stages, err = f.told(ctx, id); err != nil {
		return nil, err
	}
	return out, f.read(ctx, id, len(items), out)
}

// told adds up the events of a job that is over.
func (f *fleet) told(ctx context.Context, id job.ID) (map[job.Stage]control.StageProgress, error) {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	stages := map[job.Stage]control.StageProgress{}
	for e, err := range f.bus.Follow(ctx, id) {
		if err != nil {
			return nil, err
		}
		if e.State == job.StateFinished {
			return stages, nil
		}
		p := stages[e.Stage]
		stages[e.Stage] = control.StageProgress{Done: p.Done + e.Done, Failed: p.Failed + e.Failed, Cached: p.Cached + e.Cached}
	}
	return nil, fmt.Errorf("job %s: its events do not tell its end", id)
}

// read reads a job's records, of which there are to be n, all ok.
func (f *fleet) read(ctx context.Context, id job.ID, n int, out *workedRun) error {
	for r, err := range f.jobs.Results(ctx, id) {
		if err != nil {
			return err
		}
		if r.Failure != nil {
			return fmt.Errorf("job %s: %s: %w", id, r.ID, r.Failure)
		}
		out.answers = append(out.answers, r.Answer.Text)
		if r.Run.Cache.Tokens {
			out.cached++
		}
	}
	if len(out.answers) != n {
		return fmt.Errorf("job %s has %d records, want %d", id, len(out.answers), n)
	}
	return nil
}
