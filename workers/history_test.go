package workers

import (
	"path/filepath"
	"testing"

	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/history/v1"
	"go.temporal.io/api/temporalproto"

	"github.com/winnow-video/winnow/workflows"
)

// save writes the histories of a job, its first page and first videos for the
// replay test of package workflows, where -record asks for it.
func (r *rig) save(t *testing.T, name string) {
	t.Helper()
	if !*record {
		return
	}
	page := r.id + "/0/0"
	for kind, id := range map[string]string{
		workflows.JobType: r.id, workflows.PageType: page, workflows.VideoType: page + "/0", workflows.VideoType + "2": page + "/2",
	} {
		text, err := temporalproto.CustomJSONMarshalOptions{Indent: " "}.Marshal(r.history(t, id))
		if err != nil {
			t.Fatal(err)
		}
		writeFile(t, filepath.Join("..", "workflows", "testdata", name+"-"+kind+".json"), append(text, '\n'))
	}
}

func (r *rig) history(t *testing.T, id string) *history.History {
	t.Helper()
	var h history.History
	events := r.temporal.GetWorkflowHistory(t.Context(), id, "", false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		e, err := events.Next()
		if err != nil {
			t.Fatal(err)
		}
		h.Events = append(h.Events, e)
	}
	return &h
}
