package workflows

import (
	"fmt"
	"path"

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
