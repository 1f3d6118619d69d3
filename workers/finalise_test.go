package workers

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/winnow-video/winnow/workflows"
	"github.com/winnow-video/winnow/workflows/artifact"
	"github.com/winnow-video/winnow/workflows/job"
)

func (d *desk) draft(t *testing.T, generation, page, video int, records ...job.Record) {
	t.Helper()
	text, err := job.WriteLines(records)
	if err != nil {
		t.Fatal(err)
	}
	put(t, d.cfg.Store, artifact.VideoRecords(d.run.Job, generation, page, video), text)
}

func okRecord(id, variant string) job.Record {
	return job.Record{V: 1, ID: id, Variant: variant, Status: job.StatusOK, Result: &job.Result{
		Answer: job.Answer{Text: "B", Parse: job.ParseLetter}, Correct: new(bool),
		Tokens: job.Tokens{VisualTotal: 10, VisualKept: 5},
	}}
}

func badRecord(id, variant string, code job.Code) job.Record {
	return failedRecord(job.Record{V: 1, ID: id, Variant: variant}, *job.Fail(job.StageDecode, code, "bad"))
}

func (d *desk) records(t *testing.T, key artifact.Key) map[string]job.Code {
	t.Helper()
	text, err := d.cfg.Store.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	all, err := job.ReadLines[job.Record](text)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]job.Code{}
	for _, r := range all {
		if _, twice := got[r.ID+" "+r.Variant]; twice {
			t.Errorf("%s has two records of %s", key, r.ID)
		}
		got[r.ID+" "+r.Variant] = codeOf(r)
	}
	return got
}

func (d *desk) closeIn(page int, open job.Code) workflows.CloseInput {
	return workflows.CloseInput{PageInput: workflows.PageInput{Run: d.run, Page: page}, Open: open}
}

func TestCloseAccountsForEveryItem(t *testing.T) {
	t.Parallel()
	items := append(questions("/x", 2), questions("/y", 1)...)
	d := newDesk(t, items, 500, nil)
	d.draft(t, 0, 0, 0, okRecord("x-0", "rediprune-0.15"), badRecord("x-1", "rediprune-0.15", job.InputCorrupt), okRecord("stray", "none"))
	tally, err := d.closePage(t.Context(), d.closeIn(0, job.InternalLost))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]job.Code{"x-0 rediprune-0.15": "", "x-1 rediprune-0.15": job.InputCorrupt, "y-0 rediprune-0.15": job.InternalLost}
	got := d.records(t, artifact.PageRecords(d.run.Job, 0, 0))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
	if tally.OK != 1 || tally.Failed != 2 {
		t.Errorf("tally = %+v", tally)
	}
	again, err := d.closePage(t.Context(), d.closeIn(0, job.CanceledJob))
	if diff := cmp.Diff(tally, again); err != nil || diff != "" {
		t.Errorf("closed again: %v (-first +second):\n%s", err, diff)
	}
}

func TestFinaliseClosesWhatNeverOpened(t *testing.T) {
	t.Parallel()
	d := newDesk(t, questions("/x", 5), 2, twoVariants)
	d.draft(t, 0, 0, 0, okRecord("x-0", "rediprune-0.5"), okRecord("x-0", "none"), okRecord("x-1", "none"), badRecord("x-1", "rediprune-0.5", job.InputCrash))
	if _, err := d.closePage(t.Context(), d.closeIn(0, job.InternalLost)); err != nil {
		t.Fatal(err)
	}
	in := workflows.FinaliseInput{
		JobInput: workflows.JobInput{Run: d.run, Pages: 3, Items: 5, Variants: 2},
		State:    job.StateCanceled, Open: job.CanceledJob,
	}
	result, err := call(t, job.StageRecord, d.finalise, in)
	if err != nil {
		t.Fatal(err)
	}
	if result.Tally.OK != 3 || result.Tally.Codes[job.CanceledJob] != 6 || result.Tally.Codes[job.InputCrash] != 1 {
		t.Errorf("tally = %+v", result.Tally)
	}
	if got := d.records(t, artifact.JobFile(d.run.Job, "results.jsonl")); len(got) != 3 {
		t.Errorf("results = %v", got)
	}
	if got := d.records(t, artifact.JobFile(d.run.Job, "errors.jsonl")); len(got) != 7 {
		t.Errorf("errors = %v", got)
	}
	wantSummary(t, d)
}

func wantSummary(t *testing.T, d *desk) {
	t.Helper()
	text, err := d.cfg.Store.Get(t.Context(), artifact.JobFile(d.run.Job, "summary.json"))
	if err != nil {
		t.Fatal(err)
	}
	var sum workflows.Summary
	if err := json.Unmarshal(text, &sum); err != nil {
		t.Fatal(err)
	}
	zero := 0.0
	want := []workflows.Variant{
		{Variant: "rediprune-0.5", OK: 1, Failed: 4, Codes: map[job.Code]int{job.CanceledJob: 3, job.InputCrash: 1},
			Graded: 1, Accuracy: &zero, Tokens: job.Tokens{VisualTotal: 10, VisualKept: 5}},
		{Variant: "none", OK: 2, Failed: 3, Codes: map[job.Code]int{job.CanceledJob: 3},
			Graded: 2, Accuracy: &zero, Tokens: job.Tokens{VisualTotal: 20, VisualKept: 10}},
	}
	if diff := cmp.Diff(want, sum.Variants); diff != "" {
		t.Errorf("summary (-want +got):\n%s", diff)
	}
	if sum.State != job.StateCanceled || sum.Items != 5 {
		t.Errorf("summary = %+v", sum)
	}
}

func TestRetryReplacesWhatFailed(t *testing.T) {
	t.Parallel()
	d := newDesk(t, questions("/x", 3), 500, nil)
	d.draft(t, 0, 0, 0, okRecord("x-0", "rediprune-0.15"), badRecord("x-1", "rediprune-0.15", job.InputCrash), badRecord("x-2", "rediprune-0.15", job.ConfigContext))
	if _, err := d.closePage(t.Context(), d.closeIn(0, job.InternalLost)); err != nil {
		t.Fatal(err)
	}
	d.run.Generation = 1
	page := workflows.PageInput{Run: d.run, Retry: []job.Kind{job.KindInput}}
	plan, err := d.plan(t.Context(), page)
	if err != nil {
		t.Fatal(err)
	}
	want := [][]workflows.Ask{{{Line: 1, Variants: []int{0}}}}
	if diff := cmp.Diff(want, plan.Videos); diff != "" {
		t.Fatalf("plan (-want +got):\n%s", diff)
	}
	d.draft(t, 1, 0, 0, okRecord("x-1", "rediprune-0.15"))
	if _, err := d.closePage(t.Context(), workflows.CloseInput{PageInput: page, Open: job.InternalLost}); err != nil {
		t.Fatal(err)
	}
	in := workflows.FinaliseInput{JobInput: workflows.JobInput{Run: d.run, Pages: 1, Items: 3, Retry: page.Retry}, State: job.StateFinished, Open: job.InternalLost}
	result, err := call(t, job.StageRecord, d.finalise, in)
	if err != nil || result.Tally.OK != 2 || result.Tally.Codes[job.ConfigContext] != 1 || result.Tally.Failed != 1 {
		t.Errorf("result = %+v, %v", result, err)
	}
}

// TestClosedPagesAreForgotten: what a worker holds does not grow with the pages it has closed.
func TestClosedPagesAreForgotten(t *testing.T) {
	t.Parallel()
	d := newDesk(t, questions("/x", 4), 2, nil)
	for page := range 2 {
		if _, err := d.closePage(t.Context(), d.closeIn(page, job.CanceledJob)); err != nil {
			t.Fatal(err)
		}
	}
	if n := d.files.pages.Len(); n != 0 {
		t.Errorf("%d pages are held after they were closed", n)
	}
	in := workflows.FinaliseInput{JobInput: workflows.JobInput{Run: d.run, Pages: 2, Items: 4, Variants: 1}, State: job.StateFinished}
	if _, err := d.finalise(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	if n := d.files.pages.Len(); n != 0 {
		t.Errorf("%d pages are held after the job was finalised", n)
	}
}
