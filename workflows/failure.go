package workflows

import (
	"errors"

	"go.temporal.io/sdk/temporal"

	"github.com/winnow-video/winnow/workflows/job"
)

// Types of the application errors activities return.
const (
	ErrorFailure = "failure" // details hold a job.Failure
	ErrorMissing = "missing" // an artifact the stage begins with is gone: its producer has to run again
)

// failureOf is the typed failure an activity of a stage ended with.
func failureOf(stage job.Stage, err error) *job.Failure {
	var app *temporal.ApplicationError
	var timeout *temporal.TimeoutError
	switch {
	case temporal.IsCanceledError(err):
		return job.Fail(stage, job.CanceledJob, "the job was canceled before this item ended")
	case errors.As(err, &app) && app.Type() == ErrorFailure:
		var f job.Failure
		if app.Details(&f) == nil {
			return &f
		}
	case errors.As(err, &app) && app.Type() == ErrorMissing:
		return job.Fail(stage, job.InternalError, "%s, again and again", app.Message())
	case errors.As(err, &timeout):
		return job.Fail(stage, job.InternalError, "its worker stopped answering, on every attempt (%s)", timeout.TimeoutType())
	}
	return job.Fail(stage, job.InternalError, "%v", err)
}

// isDefinite says that another attempt would end the same.
func isDefinite(err error) bool {
	var app *temporal.ApplicationError
	return errors.As(err, &app) && app.NonRetryable()
}

func isMissing(err error) bool {
	var app *temporal.ApplicationError
	return errors.As(err, &app) && app.Type() == ErrorMissing
}
