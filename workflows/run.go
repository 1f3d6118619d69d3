package workflows

import (
	"fmt"
	"path"

	"go.temporal.io/sdk/workflow"

	"github.com/winnow-video/winnow/workflows/artifact"
)

// Run names one generation of a job; the input of every workflow and activity begins with it.
type Run struct {
	V          int    `json:"v"`
	Job        string `json:"job"`
	Generation int    `json:"generation"` // 0, then one more for every retry
	Bundle     string `json:"bundle"`     // digest of the bundle, 64 hex digits
}

// InputVersion is the version of an input that begins with this Run.
func (r Run) InputVersion() int { return r.V }

// known has a workflow of a version that this program does not read wait for a worker
// that does: a workflow task that panics is tried again, by any worker, and nothing
// else happens. control.Jobs.Hold tells the reason to people.
func (r Run) known(ctx workflow.Context) {
	if r.V != Version {
		panic(fmt.Sprintf("%s: input of version %d, and this worker reads version %d: it waits for a worker of the Winnow that began it",
			workflow.GetInfo(ctx).WorkflowType.Name, r.V, Version))
	}
}

// JobWorkflowID is the id a Job's workflow runs under, in every generation.
func JobWorkflowID(job string) string { return job }

func (r Run) pageID(page int) string {
	return path.Join(JobWorkflowID(r.Job), fmt.Sprint(r.Generation), fmt.Sprint(page))
}

func (v VideoInput) id() string {
	return path.Join(v.pageID(v.Page), fmt.Sprint(v.Video))
}

// PageKey is where the page of a video's items lies.
func (v VideoInput) PageKey() artifact.Key { return artifact.Page(v.Job, v.Page) }
