package workflows_test

import (
	"path/filepath"
	"testing"

	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/winnow-video/winnow/workflows"
)

// TestReplay runs today's workflows over the histories of every release: each
// folder of testdata holds those of one, as a real server kept them. A change that
// fails here breaks jobs in flight; see the package's comment for what to do.
func TestReplay(t *testing.T) {
	t.Parallel()
	releases, err := filepath.Glob("testdata/*")
	if err != nil || len(releases) == 0 {
		t.Fatalf("releases: %v, %v", releases, err)
	}
	for _, release := range releases {
		for _, kind := range []string{"job", "page", "video-*"} {
			files, err := filepath.Glob(filepath.Join(release, "*-"+kind+".json"))
			if err != nil || len(files) == 0 {
				t.Errorf("%s has no history of a %s: %v", release, kind, err)
			}
			replay(t, files)
		}
	}
}

func replay(t *testing.T, files []string) {
	for _, file := range files {
		t.Run(file, func(t *testing.T) {
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
