package control

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"go.temporal.io/api/common/v1"
	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/winnow-video/winnow/workflows"
	"github.com/winnow-video/winnow/workflows/job"
)

// Hold is what is in the way of a job that is not over. Zero: nothing that Temporal knows of.
type Hold struct {
	Reason string // one line
	Ended  bool   // its workflow has: nothing happens until somebody resumes the job
}

// severalTries is how often an activity has to have failed to be in the way.
const severalTries = 3

// Hold looks at a job's workflows: one that no worker can run, since it is of another
// version of Winnow or not ordered as its history says; one that has ended before its
// time; an activity that fails again and again.
func (j *Jobs) Hold(ctx context.Context, id job.ID) (Hold, error) {
	d, err := j.temporal.DescribeWorkflowExecution(ctx, workflows.JobWorkflowID(id.String()), "")
	var gone *serviceerror.NotFound
	if errors.As(err, &gone) {
		return Hold{fmt.Sprintf("Temporal does not know job %s: `winnow resume %s` starts it from storage", id, id), true}, nil
	}
	if err != nil {
		return Hold{}, err
	}
	switch status := d.GetWorkflowExecutionInfo().GetStatus(); status {
	case enums.WORKFLOW_EXECUTION_STATUS_RUNNING:
		reason, err := j.held(ctx, d)
		return Hold{Reason: reason}, err
	case enums.WORKFLOW_EXECUTION_STATUS_COMPLETED, enums.WORKFLOW_EXECUTION_STATUS_CANCELED:
		return Hold{}, nil
	default:
		return Hold{fmt.Sprintf("the workflow of job %s is %s%s: `winnow resume %s` starts it from storage", id, status, j.why(ctx, id), id), true}, nil
	}
}

// why is what a failed workflow ended with.
func (j *Jobs) why(ctx context.Context, id job.ID) string {
	err := j.temporal.GetWorkflow(ctx, workflows.JobWorkflowID(id.String()), "").Get(ctx, nil)
	if err == nil || ctx.Err() != nil {
		return ""
	}
	return " (" + oneLine(err.Error()) + ")"
}

// held is what is in the way of a workflow or of one of its children.
func (j *Jobs) held(ctx context.Context, d *workflowservice.DescribeWorkflowExecutionResponse) (string, error) {
	if d.GetPendingWorkflowTask().GetAttempt() > 1 {
		return j.lastFailure(ctx, d.GetWorkflowExecutionInfo().GetExecution())
	}
	for _, a := range d.GetPendingActivities() {
		if a.GetAttempt() >= severalTries && a.GetLastFailure() != nil {
			return oneLine(fmt.Sprintf("%s, try %d: %s", a.GetActivityType().GetName(), a.GetAttempt(), a.GetLastFailure().GetMessage())), nil
		}
	}
	for _, child := range d.GetPendingChildren() {
		d, err := j.temporal.DescribeWorkflowExecution(ctx, child.GetWorkflowId(), child.GetRunId())
		var gone *serviceerror.NotFound
		if errors.As(err, &gone) {
			continue // it has just ended
		}
		if err != nil {
			return "", err
		}
		if reason, err := j.held(ctx, d); reason != "" || err != nil {
			return reason, err
		}
	}
	return "", nil
}

// lastFailure is what workers said of a workflow that none of them has been able to
// run since it last went on.
func (j *Jobs) lastFailure(ctx context.Context, w *common.WorkflowExecution) (said string, err error) {
	events := j.temporal.GetWorkflowHistory(ctx, w.GetWorkflowId(), w.GetRunId(), false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		e, err := events.Next()
		if err != nil {
			return "", err
		}
		failed := e.GetWorkflowTaskFailedEventAttributes()
		switch {
		case e.GetEventType() == enums.EVENT_TYPE_WORKFLOW_TASK_COMPLETED:
			said = ""
		case failed.GetCause() == enums.WORKFLOW_TASK_FAILED_CAUSE_WORKFLOW_WORKER_UNHANDLED_FAILURE,
			failed.GetCause() == enums.WORKFLOW_TASK_FAILED_CAUSE_NON_DETERMINISTIC_ERROR:
			said = fmt.Sprintf("worker %s: %s", failed.GetIdentity(), failed.GetFailure().GetMessage())
		}
	}
	return oneLine(said), nil
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
