package control_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/winnow-video/winnow/workflows"
	"github.com/winnow-video/winnow/workflows/artifact"
	"github.com/winnow-video/winnow/workflows/artifact/memstore"
	"github.com/winnow-video/winnow/workflows/control"
	"github.com/winnow-video/winnow/workflows/job"
)

// The store alone holds a job in its second retry, whose last page has not closed.
func TestResultsAreTheNewest(t *testing.T) {
	t.Parallel()
	id := job.ID{Name: "stored", Digest: "89abcdef", N: 2}
	store := storedJob(t, id, workflows.Status{V: workflows.Version, Job: id.String(), State: job.StateRunning, Generation: 2})
	for key, lines := range map[artifact.Key][]job.Record{
		artifact.PageRecords(id.String(), 0, 0): {failed("a", job.InputMissing), failed("b", job.InputEmpty), ok("c")},
		artifact.PageRecords(id.String(), 1, 0): {ok("a"), failed("b", job.ModelError)},
		artifact.PageRecords(id.String(), 2, 0): {ok("b")},
		artifact.PageRecords(id.String(), 0, 1): {failed("d", job.InputMissing)},
	} {
		var text strings.Builder
		for _, line := range lines {
			if err := json.NewEncoder(&text).Encode(line); err != nil {
				t.Fatal(err)
			}
		}
		storeText(t, store, key, text.String())
	}
	var got []job.Record
	for r, err := range control.New(nil, store, nil).Results(t.Context(), id) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, r)
	}
	if diff := cmp.Diff([]job.Record{ok("a"), ok("b"), ok("c"), failed("d", job.InputMissing)}, got); diff != "" {
		t.Errorf("results (-want +got):\n%s", diff)
	}
}

func TestOtherVersionsAreRefused(t *testing.T) {
	t.Parallel()
	id := job.ID{Name: "newer", Digest: "89abcdef", N: 1}
	store := storedJob(t, id, workflows.Status{V: workflows.Version + 1, Job: id.String()})
	_, err := control.New(nil, store, nil).Show(t.Context(), id)
	if err == nil || !strings.Contains(err.Error(), "another version of Winnow") {
		t.Errorf("Show of a newer version's job: %v", err)
	}
	record := ok("a")
	record.V++
	text, err := json.Marshal(record)
	if err != nil {
		t.Fatal(err)
	}
	store = storedJob(t, id, workflows.Status{V: workflows.Version, Job: id.String()})
	storeText(t, store, artifact.PageRecords(id.String(), 0, 0), string(text))
	for _, err := range control.New(nil, store, nil).Results(t.Context(), id) {
		if err == nil || !strings.Contains(err.Error(), "version 2") {
			t.Errorf("a record of another version: %v", err)
		}
		break
	}
}

func storedJob(t *testing.T, id job.ID, status workflows.Status) *memstore.Store {
	t.Helper()
	store := memstore.New()
	text, err := json.Marshal(status)
	if err != nil {
		t.Fatal(err)
	}
	storeText(t, store, artifact.JobFile(id.String(), "job.yaml"), "name: "+id.Name+"\nmanifest: m\nbundle: b\n")
	storeText(t, store, artifact.JobFile(id.String(), "submission.json"), `{"v":1,"bundle":"0","pages":3,"items":5}`)
	storeText(t, store, artifact.JobFile(id.String(), "state.json"), string(text))
	return store
}

func storeText(t *testing.T, store artifact.Store, key artifact.Key, text string) {
	t.Helper()
	if _, err := store.Put(t.Context(), key, strings.NewReader(text), artifact.FirstWins); err != nil {
		t.Fatal(err)
	}
}

func ok(id string) job.Record {
	return job.Record{V: job.Version, ID: id, Variant: "none", Status: job.StatusOK, Result: &job.Result{Answer: job.Answer{Text: "yes"}}}
}

func failed(id string, code job.Code) job.Record {
	return job.Record{V: job.Version, ID: id, Variant: "none", Status: job.StatusFailed, Failure: job.Fail(job.StageFetch, code, "because")}
}
