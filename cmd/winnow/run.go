package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/winnow-video/winnow/workflows/control"
	"github.com/winnow-video/winnow/workflows/job"
)

const runLong = `Run a job on this machine and print its answers: starts Temporal, NATS, S3 and the
workers it needs as children, shows progress, and stops them when nobody else uses them.
With services of your own (` + "`winnow help services`" + `) only the workers are started.

The same command again goes on where an interrupted run was. A finished job runs again,
from what its earlier runs left in the store.

` + sampleHelp + `

` + specFlagsHelp + `

` + budgetHelp + `

` + hwaccelHelp + `

` + deviceHelp + `

` + batchingHelp + `

A stack that runs already decodes and encodes on what it was started with.`

func (a *app) runCommand() *cobra.Command {
	var fresh, asJSON bool
	var on devices
	var drawn sampleFlags
	c := &cobra.Command{
		Use: "run [JOB.yaml]", Short: "Run a job on this machine and print its answers", Long: runLong,
		Example: "  winnow run job.yaml\n  winnow run job.yaml --sample 50\n  winnow run --manifest questions.jsonl --bundle deploy/bundle/demo --keep 0.15",
		Args:    jobFileArg,
	}
	flags := addSpecFlags(c)
	on.bind(c.Flags())
	drawn.bind(c.Flags())
	c.Flags().BoolVar(&fresh, "new", false, "start a further run even where one is unfinished")
	c.Flags().BoolVar(&asJSON, "json", false, "print the records as JSON lines instead of tables")
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := on.batches.validate(); err != nil {
			return err
		}
		p, err := a.check(c.Context(), flags, jobFile(args))
		if err != nil {
			return err
		}
		if err := drawn.draw(p); err != nil {
			return err
		}
		s, err := a.attachOn(c.Context(), on)
		if err != nil {
			return err
		}
		defer s.close()
		return a.run(c.Context(), s, p, fresh, asJSON)
	}
	return c
}

// attachOn shares the stack, having one that is started compute on these devices.
func (a *app) attachOn(ctx context.Context, on devices) (*session, error) {
	s, err := a.share(ctx, on.args()...)
	if unheard := on.unheard(); err == nil && !s.Started && unheard != nil {
		a.tell(strings.Join(unheard, ", ") + " has no effect: the stack runs already, and decodes and encodes as it was started")
	}
	return s, err
}

// run submits the job and stays until it is over.
func (a *app) run(ctx context.Context, s *session, p *plan, fresh, asJSON bool) error {
	guarding, stop := context.WithCancel(ctx)
	defer stop()
	go s.Guard(guarding, a.tell)
	id, outcome, err := a.submit(ctx, s, p, fresh)
	if err != nil {
		return err
	}
	where := "on " + s.Services.Place()
	if s.Services.TemporalUI != "" {
		where = "console " + s.Services.TemporalUI
	}
	a.tell(fmt.Sprintf("job %s %s; %s", id, outcome, where))
	done, err := a.follow(ctx, s, id, p.videos())
	if err != nil {
		return a.interrupted(ctx, id, err)
	}
	err = a.report(ctx, s, done, asJSON)
	if done.Summary != nil && len(p.items) < p.whole {
		a.tell(p.pace(done))
	}
	return err
}

// submit hands a checked plan over, and with it the local videos that workers elsewhere cannot see.
func (a *app) submit(ctx context.Context, s *session, p *plan, fresh bool) (job.ID, control.Outcome, error) {
	if err := s.conn.store.CheckWrites(ctx); err != nil {
		return job.ID{}, "", err
	}
	if a.outside.Given() {
		if err := a.upload(ctx, s, p); err != nil {
			return job.ID{}, "", err
		}
	}
	manifest, err := p.manifest()
	if err != nil {
		return job.ID{}, "", err
	}
	defer manifest.Close()
	return s.jobs.Submit(ctx, control.Submission{
		Spec: p.spec, Items: p.items, Manifest: manifest, Bundle: p.digest, New: fresh,
	})
}

// interrupted says how to go on after ^C.
func (a *app) interrupted(ctx context.Context, id job.ID, err error) error {
	if ctx.Err() == nil {
		return err
	}
	return &exitError{exitInterrupted, fmt.Sprintf("interrupted; job %s keeps what it has. Go on with the same command, or stop it for good with `winnow cancel %s`", id, id)}
}

// videos counts the clips the job decodes: equal video, start and end are one.
func (p *plan) videos() int {
	seen := map[string]bool{}
	for _, item := range p.items {
		seen[fmt.Sprint(item.Video, deref(item.Start), deref(item.End))] = true
	}
	return len(seen)
}

func deref(x *float64) float64 {
	if x == nil {
		return -1
	}
	return *x
}
