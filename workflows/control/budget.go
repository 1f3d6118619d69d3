package control

import (
	"context"
	"fmt"

	"github.com/winnow-video/winnow/workflows/job"
)

// SpentError says that a job stays paused: its budget is spent.
type SpentError struct {
	Job    job.ID
	Reason string // which bound, and the figures
}

// Error implements error.
func (e *SpentError) Error() string { return fmt.Sprintf("job %s is paused: %s", e.Job, e.Reason) }

// SetBudget changes an unfinished job's budget, from its next Resume on; change gets what it is now.
func (j *Jobs) SetBudget(ctx context.Context, id job.ID, change func(*job.Budget) error) error {
	if err := j.unfinished(ctx, id); err != nil {
		return err
	}
	spec, err := j.spec(ctx, id)
	if err != nil {
		return err
	}
	if err := change(&spec.Budget); err != nil {
		return err
	}
	if err := spec.Budget.Validate(); err != nil {
		return err
	}
	return j.storeSpec(ctx, id, spec)
}

// affords refuses to resume a job that its budget has paused while that is spent.
func (j *Jobs) affords(ctx context.Context, id job.ID, budget job.Budget) error {
	st, err := j.status(ctx, id)
	if err != nil || !st.Halted() {
		return err
	}
	if reason := st.Spent(budget); reason != "" {
		return &SpentError{id, reason}
	}
	return nil
}

// unhalt has the store say that a job which its budget had paused goes on, so that
// who looks before its workflow has told does not take it for halted still.
func (j *Jobs) unhalt(ctx context.Context, id job.ID) error {
	st, err := j.status(ctx, id)
	if err != nil || !st.Halted() {
		return err
	}
	st.State, st.Reason = job.StateRunning, ""
	return j.setState(ctx, id, st)
}
