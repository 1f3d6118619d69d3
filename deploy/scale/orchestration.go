package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"time"

	"go.temporal.io/api/workflowservice/v1"

	"github.com/winnow-video/winnow/infer/bundle"
	"github.com/winnow-video/winnow/workflows/control"
	"github.com/winnow-video/winnow/workflows/job"
)

// sampleEvery is how often memory and progress are looked at.
const sampleEvery = time.Second

// sample is a moment of a run.
type sample struct {
	at        time.Duration // since the job was submitted
	videos    int64         // recorded
	workerRSS int64         // bytes
	serverRSS int64         // bytes
	serverCPU time.Duration
}

// sleptRun is one job whose stages slept.
type sleptRun struct {
	videos  int
	wall    time.Duration
	client  time.Duration // CPU
	worker  time.Duration // CPU
	server  time.Duration // CPU of Temporal, NATS and S3
	history history
	samples []sample
}

func (r *sleptRun) cpu() time.Duration { return r.client + r.worker + r.server }

// orchestrate runs a job of n videos from its submission to its result files.
func (d *dormitory) orchestrate(ctx context.Context, n int) (*sleptRun, error) {
	submission, err := d.submission(ctx, n)
	if err != nil {
		return nil, err
	}
	out, before := &sleptRun{videos: n}, []usage(nil)
	if before, err = d.uses(); err != nil {
		return nil, err
	}
	began := time.Now()
	id, _, err := d.jobs.Submit(ctx, submission)
	if err != nil {
		return nil, err
	}
	if out.samples, err = d.sampleUntilOver(ctx, id, began); err != nil {
		return nil, err
	}
	out.wall = time.Since(began)
	after, err := d.uses()
	if err != nil {
		return nil, err
	}
	out.client, out.worker, out.server = after[0].cpu-before[0].cpu, after[1].cpu-before[1].cpu, after[2].cpu-before[2].cpu
	if err := d.check(ctx, id, n); err != nil {
		return nil, err
	}
	out.history, err = d.historyOf(ctx, id)
	return out, err
}

// uses is what the client, the worker and the server have used.
func (d *dormitory) uses() ([]usage, error) {
	return uses(os.Getpid(), d.worker.pid(), d.stack.pid())
}

// idle is the CPU time that client, worker and server take a second of doing nothing.
func (d *dormitory) idle(wait time.Duration) (time.Duration, error) {
	time.Sleep(wait) // what starting set off ends
	before, err := d.uses()
	if err != nil {
		return 0, err
	}
	time.Sleep(wait)
	after, err := d.uses()
	if err != nil {
		return 0, err
	}
	var took time.Duration
	for i := range after {
		took += after[i].cpu - before[i].cpu
	}
	return time.Duration(took.Seconds() / wait.Seconds() * float64(time.Second)), nil
}

// submission is a job of n videos that are not there, one question each.
func (d *dormitory) submission(ctx context.Context, n int) (control.Submission, error) {
	_, digest, err := bundle.Verify(ctx, d.bundle)
	if err != nil {
		return control.Submission{}, err
	}
	spec := job.NewSpec()
	spec.Name, spec.Manifest, spec.Bundle = fmt.Sprintf("asleep-%d", n), "manifest.jsonl", d.bundle
	items := make([]job.Item, n)
	for i := range items {
		right := i % 4
		items[i] = job.Item{
			ID: fmt.Sprintf("%06d-0", i), Video: fmt.Sprintf("/videos/%06d.mp4", i), Line: i + 1,
			Question: "What shape is the green one?", Options: []string{"triangle", "square", "cross", "circle"},
			Gold: &job.Gold{Option: &right},
		}
	}
	manifest, err := job.WriteLines(items)
	return control.Submission{
		Spec: spec.WithDefaults(), Items: items, Manifest: bytes.NewReader(manifest), Bundle: digest,
	}, err
}

// sampleUntilOver waits for the job's end. The server is asked for nothing but that.
func (d *dormitory) sampleUntilOver(ctx context.Context, id job.ID, began time.Time) ([]sample, error) {
	over := make(chan error, 1)
	go func() { over <- d.temporal.GetWorkflow(ctx, id.String(), "").Get(ctx, nil) }()
	var all []sample
	first := d.recorded.Load()
	tick := time.NewTicker(sampleEvery)
	defer tick.Stop()
	for {
		select {
		case err := <-over:
			return all, err
		case <-d.worker.ended:
			return all, d.worker.failed()
		case <-d.stack.ended:
			return all, d.stack.failed()
		case <-tick.C:
			now, err := d.uses()
			if err != nil {
				return all, err
			}
			all = append(all, sample{time.Since(began), d.recorded.Load() - first, now[1].rss, now[2].rss, now[2].cpu})
		}
	}
}

// check reads the job's summary: every video has its record, and all are ok.
func (d *dormitory) check(ctx context.Context, id job.ID, n int) error {
	one, err := d.jobs.Show(ctx, id)
	if err != nil {
		return err
	}
	if s := one.Summary; s == nil || s.Variants[0].OK != n || s.Variants[0].Failed != 0 {
		return fmt.Errorf("job %s: summary %+v, want %d ok", id, s, n)
	}
	return nil
}

// history is what Temporal keeps of a job's workflows, all together.
type history struct {
	workflows   int
	events      int64
	bytes       int64
	transitions int64
}

// historyOf adds up the job, its pages and its videos, whose ids begin with the job's.
func (d *dormitory) historyOf(ctx context.Context, id job.ID) (h history, err error) {
	request := &workflowservice.ListWorkflowExecutionsRequest{Query: fmt.Sprintf("WorkflowId STARTS_WITH '%s'", id), PageSize: 1000}
	for {
		list, err := d.temporal.ListWorkflow(ctx, request)
		if err != nil {
			return h, err
		}
		for _, e := range list.Executions {
			h.workflows++
			h.events += e.HistoryLength
			h.bytes += e.HistorySizeBytes
			h.transitions += e.StateTransitionCount
		}
		if request.NextPageToken = list.NextPageToken; len(request.NextPageToken) == 0 {
			return h, nil
		}
	}
}
