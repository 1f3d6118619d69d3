package workers

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/history/v1"
	"go.temporal.io/api/temporalproto"
)

// save writes the histories of a job, its first page and some of its videos
// for the replay test of package workflows, where -record asks for it.
func (r *rig) save(t *testing.T, name string, videos ...int) {
	t.Helper()
	if !*record {
		return
	}
	page := fmt.Sprintf("%s/%d/0", r.id, r.input.Generation)
	r.saveHistory(t, r.id, name+"-job.json")
	r.saveHistory(t, page, name+"-page.json")
	for _, video := range videos {
		r.saveHistory(t, fmt.Sprintf("%s/%d", page, video), fmt.Sprintf("%s-video-%d.json", name, video))
	}
}

func (r *rig) saveHistory(t *testing.T, workflowID, file string) {
	t.Helper()
	text, err := temporalproto.CustomJSONMarshalOptions{Indent: " "}.Marshal(r.history(t, workflowID))
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join("..", "workflows", "testdata", "next") // releases before it stay as they are
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, file), append(text, '\n'), 0o644); err != nil {
		t.Fatal(err)
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
