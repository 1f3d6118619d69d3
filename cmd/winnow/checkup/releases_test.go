package checkup_test

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/winnow-video/winnow/cmd/winnow/checkup"
	"github.com/winnow-video/winnow/workflows"
	"github.com/winnow-video/winnow/workflows/stack/stacktest"
)

// Workers of a release that is not current serve nobody's new job, and that is said.
func TestNotCurrent(t *testing.T) {
	t.Parallel()
	services := stacktest.StartIn(t, t.TempDir()).Services
	conn, err := services.Temporal.Dial(t.Context(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	why := func() string { return checkup.NotCurrent(t.Context(), conn, services.Temporal.Namespace) }
	if got := why(); got != "" {
		t.Errorf("without workers: %q", got)
	}
	w := worker.New(conn, workflows.QueueMain, worker.Options{DeploymentOptions: worker.DeploymentOptions{
		UseVersioning: true, Version: worker.WorkerDeploymentVersion{DeploymentName: "winnow", BuildID: "two"},
		DefaultVersioningBehavior: workflow.VersioningBehaviorPinned,
	}})
	w.RegisterWorkflowWithOptions(workflows.Job, workflow.RegisterOptions{Name: workflows.JobType})
	if err := w.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Stop)
	eventually(func() bool {
		return strings.HasPrefix(why(), "current is a worker without --deployment, and task queue winnow is served by release two of deployment winnow")
	})
	eventually(func() bool {
		_, err := conn.WorkerDeploymentClient().GetHandle("winnow").SetCurrentVersion(t.Context(), client.WorkerDeploymentSetCurrentVersionOptions{BuildID: "two"})
		return err == nil
	})
	eventually(func() bool { return why() == "" })
}

// eventually waits until the server has heard of what was done; the test's deadline is its limit.
func eventually(done func() bool) {
	for !done() {
		time.Sleep(50 * time.Millisecond)
	}
}
