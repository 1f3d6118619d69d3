package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/winnow-video/winnow/workflows/control"
	"github.com/winnow-video/winnow/workflows/job"
)

const resumeLong = `Let a job go on that was paused or stopped, or that Temporal has lost.

All that a job is lies in storage: its settings, its manifest, the records of every page that
has closed, and every artifact. Where Temporal knows nothing of it (its database is gone, or
this is another cluster), it is started from there. Pages that had closed are not opened again,
and what was stored is found: no finished encode is repeated.

--from names the job by its place, s3://BUCKET/jobs/ID; the bucket must be this stack's.

A job that its budget has paused wants a larger one: --budget-… changes the bounds that are given
and keeps the others; 0 lifts one.`

func (a *app) resumeCommand() *cobra.Command {
	var from string
	c := &cobra.Command{
		Use: "resume [JOB]", Short: "Let a paused, stopped or lost job go on", Long: resumeLong,
		Example: "  winnow resume shapes-060f7ee4.1\n  winnow resume shapes-060f7ee4.1 --budget-gpu-seconds 7200\n  winnow resume --from s3://winnow/jobs/shapes-060f7ee4.1",
	}
	c.Flags().StringVar(&from, "from", "", "the job's folder in storage, s3://BUCKET/jobs/ID")
	bindBudget(c.Flags(), &job.Budget{})
	c.RunE = func(c *cobra.Command, args []string) error {
		resume := a.resume(budgetChange(c.Flags()))
		if from == "" {
			if err := exactArgs("JOB")(c, args); err != nil {
				return err
			}
			return a.withJob(resume)(c, args)
		}
		if err := exactArgs()(c, args); err != nil {
			return err
		}
		bucket, id, err := jobFolder(from)
		if err != nil {
			return err
		}
		return a.withJob(func(ctx context.Context, s *session, id job.ID) error {
			if ours := s.Services.S3.Bucket; bucket != ours {
				return fmt.Errorf("--from %s: this stack keeps its jobs in bucket %s: name a stack that has bucket %s", from, ours, bucket)
			}
			return resume(ctx, s, id)
		})(c, []string{id})
	}
	return c
}

// resume changes the budget, if it is to be, and lets the job go on.
func (a *app) resume(change func(*job.Budget) error) func(context.Context, *session, job.ID) error {
	return func(ctx context.Context, s *session, id job.ID) error {
		if change != nil {
			if err := s.jobs.SetBudget(ctx, id, change); err != nil {
				return usageOfField(err)
			}
		}
		if err := a.steered((*control.Jobs).Resume, "goes on")(ctx, s, id); err != nil {
			return err
		}
		a.tellWaiting(ctx, s, id)
		return nil
	}
}

// usageOfField is a usage error where a value that was given cannot be.
func usageOfField(err error) error {
	var field *job.FieldError
	if errors.As(err, &field) {
		return usageError(err)
	}
	return err
}

// jobFolder takes s3://BUCKET/jobs/ID apart.
func jobFolder(from string) (bucket, id string, err error) {
	place, isS3 := strings.CutPrefix(strings.TrimSuffix(from, "/"), "s3://")
	bucket, path, _ := strings.Cut(place, "/")
	id, isJob := strings.CutPrefix(path, "jobs/")
	if !isS3 || !isJob || bucket == "" {
		return "", "", usagef("--from %q: want s3://BUCKET/jobs/ID", from)
	}
	return bucket, id, nil
}
