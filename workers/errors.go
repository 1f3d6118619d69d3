package workers

import (
	"context"
	"errors"
	"fmt"

	"go.temporal.io/sdk/temporal"

	"github.com/winnow-video/winnow/workflows"
	"github.com/winnow-video/winnow/workflows/artifact"
	"github.com/winnow-video/winnow/workflows/job"
)

// maxDetail bounds a failure's text: hundreds of them share one payload.
const maxDetail = 400 // bytes

// missing says that an artifact a stage begins with is gone.
type missing struct{ key artifact.Key }

func (m *missing) Error() string { return fmt.Sprintf("%s is gone", m.key) }

// maxTries is how often a stage is tried where something other than capacity
// is in its way.
const maxTries = 5

// foreign is what another release of Winnow wrote, and this one cannot read: a worker
// of that release can.
type foreign struct{ error }

func (f *foreign) Unwrap() error { return f.error }

// settled is the end of something that was waited for long enough already.
type settled struct{ error }

func (s *settled) Unwrap() error { return s.error }

// waited settles what a source failed with once its patience was at an end.
func waited(err error) error {
	var f *job.Failure
	if errors.As(err, &f) && f.Stage == job.StageFetch && f.Code == job.CapacityUnavailable {
		return &settled{err}
	}
	return err
}

// sealed turns a stage's error into what Temporal is to make of it. It is the
// one place that decides what is tried again: what a Failure calls retryable
// and nobody has settled, capacity and what is foreign for as long as the workflow's
// policy allows, anything else a few times. An error that is no Failure is internal/error. A
// missing artifact is not worth another attempt of this stage, but of the one before.
func sealed(ctx context.Context, stage job.Stage, err error, attempt int32) error {
	var gone *missing
	var over *settled
	var others *foreign
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, context.Canceled):
		return err // the worker stops: another goes on
	case errors.As(err, &gone):
		return temporal.NewNonRetryableApplicationError(gone.Error(), workflows.ErrorMissing, nil)
	}
	f := brief(job.AsFailure(stage, err))
	again := f.Retryable && !errors.As(err, &over) && (f.Kind == job.KindCapacity || attempt < maxTries) || errors.As(err, &others)
	return temporal.NewApplicationErrorWithOptions(f.Error(), workflows.ErrorFailure,
		temporal.ApplicationErrorOptions{NonRetryable: !again, Details: []any{f}})
}

// brief is f with a detail of bounded length.
func brief(f *job.Failure) job.Failure {
	short := *f
	if len(short.Detail) > maxDetail {
		short.Detail = short.Detail[:maxDetail] + "…"
	}
	return short
}

// isGone says that there is no such object: one that was corrupt is deleted.
func isGone(err error) bool {
	return errors.Is(err, artifact.ErrNotFound) || errors.Is(err, artifact.ErrCorrupt)
}
