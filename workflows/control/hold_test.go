package control_test

import (
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/winnow-video/winnow/workflows"
	"github.com/winnow-video/winnow/workflows/control"
	"github.com/winnow-video/winnow/workflows/job"
)

// awaitHold looks until this is in the job's way.
func (r *rig) awaitHold(t *testing.T, id job.ID, want string) control.Hold {
	t.Helper()
	for {
		hold, err := r.jobs.Hold(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(hold.Reason, want) {
			return hold
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// restartAs starts a job's workflow anew, with an input of a version.
func (r *rig) restartAs(t *testing.T, id job.ID, in workflows.JobInput) {
	t.Helper()
	if err := r.temporal.TerminateWorkflow(t.Context(), id.String(), "", "test"); err != nil {
		t.Fatal(err)
	}
	if hold := r.awaitHold(t, id, "winnow resume "+id.String()); !hold.Ended {
		t.Errorf("of a terminated workflow: %+v, want it to have ended", hold)
	}
	options := client.StartWorkflowOptions{ID: id.String(), TaskQueue: workflows.QueueMain}
	if _, err := r.temporal.ExecuteWorkflow(t.Context(), options, workflows.JobType, in); err != nil {
		t.Fatal(err)
	}
}

// A job of a newer Winnow, whose children an older one does not know either, waits for
// a worker that does, beside those that do not, and who asks is told.
func TestNewerJobWaitsForItsWorker(t *testing.T) {
	t.Parallel()
	r := alone(t)
	id := r.submit(t, submission(t, "newer", 2), control.Started)
	in := workflows.JobInput{
		Run:   workflows.Run{V: workflows.Version + 1, Job: id.String(), Bundle: strings.Repeat("0123456789abcdef", 4)},
		Pages: 1, Items: 2, Variants: 2,
	}
	r.restartAs(t, id, in)
	r.work(t)
	hold := r.awaitHold(t, id, "input of version 2, and this worker reads version 1")
	if hold.Ended || strings.Contains(hold.Reason, "\n") || !strings.HasPrefix(hold.Reason, "worker worker: ") {
		t.Errorf("held: %+v, want one line that names the worker", hold)
	}
	newer := worker.New(r.temporal, workflows.QueueMain, worker.Options{LocalActivityWorkerOnly: true})
	newer.RegisterWorkflowWithOptions(func(ctx workflow.Context, in workflows.JobInput) error {
		return workflow.ExecuteChildWorkflow(workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{TaskQueue: workflows.QueueMain}), "Newest").Get(ctx, nil)
	}, workflow.RegisterOptions{Name: workflows.JobType})
	newer.RegisterWorkflowWithOptions(func(workflow.Context) error { return nil }, workflow.RegisterOptions{Name: "Newest"})
	if err := newer.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(newer.Stop)
	if err := r.temporal.GetWorkflow(t.Context(), id.String(), "").Get(t.Context(), nil); err != nil {
		t.Errorf("with a worker that knows it the job ended with %v", err)
	}
}

func TestHoldOfAForgottenJob(t *testing.T) {
	t.Parallel()
	r := alone(t)
	hold, err := r.jobs.Hold(t.Context(), job.ID{Name: "nobodys", Digest: "01234567", N: 1})
	if err != nil || !hold.Ended || !strings.Contains(hold.Reason, "winnow resume nobodys-01234567.1") {
		t.Errorf("%+v, %v, want the way to start it", hold, err)
	}
	id := r.submit(t, submission(t, "fine", 1), control.Started)
	if hold, err := r.jobs.Hold(t.Context(), id); err != nil || hold != (control.Hold{}) {
		t.Errorf("of a job that waits for a worker: %+v, %v", hold, err)
	}
}
