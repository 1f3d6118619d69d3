package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"

	"github.com/winnow-video/winnow/workflows"
	"github.com/winnow-video/winnow/workflows/artifact"
	"github.com/winnow-video/winnow/workflows/job"
)

// Pause lets no further Video of the job start; what is in flight ends.
func (j *Jobs) Pause(ctx context.Context, id job.ID) error {
	if err := j.unfinished(ctx, id); err != nil {
		return err
	}
	return j.signal(ctx, id, workflows.SignalPause, workflows.Steer{})
}

// Resume lets a paused job go on. One that Temporal does not run any more, its
// database lost or the workflow terminated, is started again from the store. One
// that its budget has paused is refused with a *SpentError while that is spent.
func (j *Jobs) Resume(ctx context.Context, id job.ID) error {
	if err := j.unfinished(ctx, id); err != nil {
		return err
	}
	spec, err := j.spec(ctx, id)
	if err != nil {
		return err
	}
	if err := j.affords(ctx, id, spec.Budget); err != nil {
		return err
	}
	if err := j.unhalt(ctx, id); err != nil {
		return err
	}
	if err := j.begun(ctx, id); err != nil {
		return err
	}
	return j.signal(ctx, id, workflows.SignalResume, workflows.Steer{Budget: &spec.Budget})
}

// Cancel stops what is in flight at its next heartbeat; every open item gets a
// record of kind canceled, and the files are finalised. That takes a running
// job: one that Temporal forgot is started first.
func (j *Jobs) Cancel(ctx context.Context, id job.ID) error {
	if err := j.unfinished(ctx, id); err != nil {
		return err
	}
	if err := j.begun(ctx, id); err != nil {
		return err
	}
	if err := j.unhalt(ctx, id); err != nil {
		return err
	}
	if err := j.temporal.CancelWorkflow(ctx, workflows.JobWorkflowID(id.String()), ""); err != nil {
		return fmt.Errorf("cancel job %s: %w", id, err)
	}
	return nil
}

// begun sees to it that Temporal runs an unfinished job.
func (j *Jobs) begun(ctx context.Context, id job.ID) error {
	runs, err := j.runs(ctx, id)
	if err != nil || runs {
		return err
	}
	return j.start(ctx, id)
}

// Retry starts the next generation over the failed items of these kinds (all
// kinds, if none are given) and returns how many there are. Of an item's
// records the newest counts.
func (j *Jobs) Retry(ctx context.Context, id job.ID, kinds []job.Kind) (int, error) {
	if _, err := j.spec(ctx, id); err != nil {
		return 0, err
	}
	st, err := j.status(ctx, id)
	if err != nil {
		return 0, err
	}
	if !over(st) {
		return 0, fmt.Errorf("job %s is %s: retry it once it has finished", id, stateName(st))
	}
	if len(kinds) == 0 {
		kinds = job.Kinds()
	}
	n, err := j.failures(ctx, id, kinds)
	if err != nil || n == 0 {
		return n, err
	}
	return n, j.startGeneration(ctx, id, st, kinds)
}

// startGeneration notes the kinds and the new state before it starts the workflow, so that a
// crash between the two leaves an unfinished job that Resume can start.
func (j *Jobs) startGeneration(ctx context.Context, id job.ID, st workflows.Status, kinds []job.Kind) error {
	if err := j.closed(ctx, id); err != nil {
		return err
	}
	st.Generation++
	st.State, st.PagesDone, st.Tally = job.StateRunning, 0, workflows.Tally{}
	if err := j.putJSON(ctx, id, retryFile(st.Generation), kinds); err != nil {
		return err
	}
	if err := j.setState(ctx, id, st); err != nil {
		return err
	}
	return j.start(ctx, id)
}

// closed waits for the workflow of a job that is over: it stores its end a moment before it closes.
func (j *Jobs) closed(ctx context.Context, id job.ID) error {
	runs, err := j.runs(ctx, id)
	if err != nil || !runs {
		return err
	}
	_ = j.temporal.GetWorkflow(ctx, workflows.JobWorkflowID(id.String()), "").Get(ctx, nil) // how it closes does not matter
	return ctx.Err()
}

func (j *Jobs) failures(ctx context.Context, id job.ID, kinds []job.Kind) (int, error) {
	wanted := map[job.Kind]bool{}
	for _, kind := range kinds {
		wanted[kind] = true
	}
	n := 0
	for r, err := range j.Results(ctx, id) {
		if err != nil {
			return 0, err
		}
		if r.Failure != nil && wanted[r.Failure.Kind] {
			n++
		}
	}
	return n, nil
}

// setState stores where a job stands in place of its workflow, which does not tell now.
func (j *Jobs) setState(ctx context.Context, id job.ID, st workflows.Status) error {
	return j.putJSON(ctx, id, "state.json", st)
}

func (j *Jobs) putJSON(ctx context.Context, id job.ID, name string, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return j.put(ctx, artifact.JobFile(id.String(), name), text, artifact.Replace)
}

// unfinished refuses jobs that are over or not there.
func (j *Jobs) unfinished(ctx context.Context, id job.ID) error {
	if _, err := j.spec(ctx, id); err != nil {
		return err
	}
	st, err := j.status(ctx, id)
	if err == nil && over(st) {
		err = fmt.Errorf("job %s is %s already", id, st.State)
	}
	return err
}

func (j *Jobs) signal(ctx context.Context, id job.ID, name string, with any) error {
	err := j.temporal.SignalWorkflow(ctx, workflows.JobWorkflowID(id.String()), "", name, with)
	var gone *serviceerror.NotFound
	if errors.As(err, &gone) {
		return fmt.Errorf("job %s does not run: start it again with `winnow resume %s`", id, id)
	}
	return err
}

// runs says whether Temporal runs the job.
func (j *Jobs) runs(ctx context.Context, id job.ID) (bool, error) {
	d, err := j.temporal.DescribeWorkflowExecution(ctx, workflows.JobWorkflowID(id.String()), "")
	var gone *serviceerror.NotFound
	if errors.As(err, &gone) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return d.GetWorkflowExecutionInfo().GetStatus() == enums.WORKFLOW_EXECUTION_STATUS_RUNNING, nil
}

func stateName(st workflows.Status) job.State {
	if st.State == "" {
		return job.StateRunning
	}
	return st.State
}
