package workflows_test

import (
	"path/filepath"
	"testing"

	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/winnow-video/winnow/workflows"
)

// TestReplay runs today's workflows over yesterday's histories: testdata holds
// jobs that finished with failures, that were paused and that were canceled, as
// a real server kept them. A change that fails here breaks jobs in flight.
// Where that is meant, `go test ./workers -record` writes new ones.
func TestReplay(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("histories: %v, %v", files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			r := worker.NewWorkflowReplayer()
			r.RegisterWorkflowWithOptions(workflows.Job, workflow.RegisterOptions{Name: workflows.JobType})
			r.RegisterWorkflowWithOptions(workflows.Page, workflow.RegisterOptions{Name: workflows.PageType})
			r.RegisterWorkflowWithOptions(workflows.Video, workflow.RegisterOptions{Name: workflows.VideoType})
			if err := r.ReplayWorkflowHistoryFromJSONFile(nil, file); err != nil {
				t.Error(err)
			}
		})
	}
}
