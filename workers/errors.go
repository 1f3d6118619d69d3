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

// sealed turns a stage's error into what Temporal is to make of it. It is the
// one place that decides what is tried again: what a Failure calls retryable,
// and what is no Failure (which makes it internal/error). A missing artifact is
// not worth an attempt of this stage, but of the one before.
func sealed(ctx context.Context, stage job.Stage, err error) error {
	var gone *missing
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &gone):
		return temporal.NewNonRetryableApplicationError(gone.Error(), workflows.ErrorMissing, nil)
	}
	f := brief(job.AsFailure(stage, err))
	return temporal.NewApplicationErrorWithOptions(f.Error(), workflows.ErrorFailure,
		temporal.ApplicationErrorOptions{NonRetryable: !f.Retryable, Details: []any{f}})
}

// brief is f with a detail of bounded length.
func brief(f *job.Failure) job.Failure {
	short := *f
	if len(short.Detail) > maxDetail {
		short.Detail = short.Detail[:maxDetail] + "…"
	}
	return short
}

// goneOr makes a missing artifact of a store's error, where it is one: an
// object that was corrupt is deleted, and so as good as missing.
func goneOr(key artifact.Key, err error) error {
	if errors.Is(err, artifact.ErrNotFound) || errors.Is(err, artifact.ErrCorrupt) {
		return &missing{key}
	}
	return err
}
