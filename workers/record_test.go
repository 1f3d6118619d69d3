package workers

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"github.com/winnow-video/winnow/infer/tensor"
	"github.com/winnow-video/winnow/workflows"
	"github.com/winnow-video/winnow/workflows/artifact"
	"github.com/winnow-video/winnow/workflows/job"
)

func twoVariants(s *job.Spec) {
	s.Prune = job.Prunings{{Method: "rediprune", Keep: 0.5, Alpha: 0.5}, {Method: "none"}}
}

// stageInput is all lines of page 0, encoded.
func (d *desk) stageInput(t testing.TB, lines int) workflows.StageInput {
	t.Helper()
	in := workflows.StageInput{VideoInput: workflows.VideoInput{Run: d.run}}
	in.Keys = workflows.Keys{Source: "s", Clip: "v1/s/clip/c.safetensors", Tokens: "v1/s/tokens/t.safetensors"}
	for line := range lines {
		in.Asks = append(in.Asks, workflows.Ask{Line: line})
	}
	body, err := tensor.Encode(encoded(t))
	if err != nil {
		t.Fatal(err)
	}
	put(t, d.cfg.Store, in.Tokens, body)
	return in
}

// call runs a stage as Temporal would: some look at the activity they are.
func call[In versioned, Out any](t testing.TB, stage job.Stage, do func(context.Context, In) (Out, error), in In) (Out, error) {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestActivityEnvironment()
	act := workflows.Activity[In, Out]("under test")
	act.Register(env, guard(stage, do))
	var out Out
	value, err := env.ExecuteActivity(string(act), in)
	if err == nil {
		err = value.Get(&out)
	}
	return out, err
}

func (d *desk) answerAll(t testing.TB, in workflows.StageInput, except ...workflows.Item) {
	t.Helper()
	w, err := d.workOf(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	skip := map[workflows.Item]bool{}
	for _, item := range except {
		skip[item] = true
	}
	for _, task := range w.items {
		if !skip[task.Item] {
			d.answer(t, task.answer, testReply())
		}
	}
}

func testReply() job.Reply {
	index := 1
	return job.Reply{
		V: job.Version, Answer: job.Answer{Text: "B", OptionIndex: &index, Letter: "B", Parse: job.ParseLetter},
		Tokens: job.Tokens{VisualTotal: 8, VisualKept: 4, Prompt: 20, Completion: 1},
		FLOPs:  job.FLOPs{Convention: "real", Full: 100, Spent: 40}, Engine: "test",
	}
}

func (d *desk) answer(t testing.TB, key artifact.Key, r job.Reply) {
	t.Helper()
	body, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	put(t, d.cfg.Store, key, body)
}

func wantKept(t *testing.T, d *desk, key artifact.Key, want int) *tensor.File {
	t.Helper()
	body, err := d.cfg.Store.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	kept, err := tensor.Decode(body)
	if err != nil {
		t.Fatal(err)
	}
	tokens, err := tensor.Get[tensor.Float16](kept, "tokens")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(tensor.Shape{want, testD}, tokens.Shape); diff != "" {
		t.Errorf("kept tokens (-want +got):\n%s", diff)
	}
	return kept
}

func TestPruneWritesEveryQuestionAndVariant(t *testing.T) {
	t.Parallel()
	d := newDesk(t, questions("/x", 3), 500, twoVariants)
	in := d.stageInput(t, 3)
	out, err := call(t, job.StagePrune, d.prune, in)
	if err != nil || len(out.Failed) != 0 {
		t.Fatalf("%+v, %v", out, err)
	}
	w, err := d.workOf(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	shared := map[artifact.Key]bool{}
	for _, task := range w.items {
		kept := wantKept(t, d, task.kept, []int{testT * 2, testT * testP}[task.Variant])
		if task.Variant == 1 {
			shared[task.kept] = true
		}
		if kept.Metadata["P"] != "4" || kept.Metadata["duration_s"] != "4" {
			t.Errorf("metadata = %v", kept.Metadata)
		}
	}
	if len(shared) != 1 {
		t.Errorf("method none has %d artifacts for one video", len(shared))
	}
	if e := d.events.events[0]; e.Stage != job.StagePrune || e.Done != 6 || e.Cached != 0 {
		t.Errorf("event = %+v", e)
	}
	if _, err := call(t, job.StagePrune, d.prune, in); err != nil {
		t.Fatal(err)
	}
	if e := d.events.events[1]; e.Cached != 6 {
		t.Errorf("event of a repetition = %+v", e)
	}
}

func TestPruneWithoutTokensAsksForThem(t *testing.T) {
	t.Parallel()
	d := newDesk(t, questions("/x", 1), 500, nil)
	in := d.stageInput(t, 1)
	in.Tokens = "v1/s/tokens/none.safetensors"
	_, err := call(t, job.StagePrune, d.prune, in)
	var app *temporal.ApplicationError
	if !errors.As(err, &app) || app.Type() != workflows.ErrorMissing || !app.NonRetryable() {
		t.Errorf("error = %v, want missing", err)
	}
}

func TestPruneFailsOneQuestionAlone(t *testing.T) {
	t.Parallel()
	items := questions("/x", 2)
	items[1].Options = []string{"a", "b", "c", "d", "e"} // the bundle has letters for three
	d := newDesk(t, items, 500, nil)
	out, err := call(t, job.StagePrune, d.prune, d.stageInput(t, 2))
	if err != nil {
		t.Fatal(err)
	}
	if len(out.Failed) != 1 || out.Failed[0].Line != 1 || out.Failed[0].Failure.Code != job.ConfigInvalid {
		t.Errorf("failed = %+v", out.Failed)
	}
}

func TestRecordMakesOneRecordAnItem(t *testing.T) {
	t.Parallel()
	items := questions("/x", 2)
	items[0].Metadata = json.RawMessage(`{"k":1}`)
	d := newDesk(t, items, 500, twoVariants)
	in := d.stageInput(t, 2)
	if _, err := call(t, job.StagePrune, d.prune, in); err != nil {
		t.Fatal(err)
	}
	lost, failed := workflows.Item{Line: 1, Variant: 0}, workflows.Item{Line: 1, Variant: 1}
	d.answerAll(t, in, lost, failed)
	tally, err := d.record(t.Context(), workflows.RecordInput{
		StageInput: in, Cached: []workflows.Item{{Line: 0, Variant: 1}},
		Failed: []workflows.ItemFailure{{Item: failed, Failure: *job.Fail(job.StageAnswer, job.ModelPoison, "twice")}},
	})
	if err != nil || tally.OK != 2 || tally.Failed != 2 {
		t.Fatalf("tally = %+v, %v", tally, err)
	}
	body, err := d.cfg.Store.Get(t.Context(), artifact.VideoRecords(d.run.Job, 0, 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	records, err := job.ReadLines[job.Record](body)
	if err != nil {
		t.Fatal(err)
	}
	got := records[0]
	right := true
	want := job.Record{
		V: 1, ID: "x-0", Variant: "rediprune-0.5", Job: d.run.Job, Video: "/x", Status: job.StatusOK,
		Result: &job.Result{
			Answer: got.Answer, Correct: &right, KeptRef: got.KeptRef,
			Frames: []job.Frame{{Index: 0, Kept: 2, Total: 4}, {Index: 99, PTS: 3.3, Kept: 2, Total: 4}},
			Tokens: job.Tokens{VisualTotal: 8, VisualKept: 4, Prompt: 20, Completion: 1},
			FLOPs:  job.FLOPs{Convention: "real", Full: 100, Spent: 40}, Prune: d.spec.Prune[0],
			Degraded: []string{job.DegradedPartialFrames},
			Model:    job.Model{Bundle: "test", Digest: d.run.Bundle, Engine: "test"},
		},
		Metadata: json.RawMessage(`{"k":1}`), Run: job.Run{Worker: "tester"},
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(job.Frame{}, "Relevance")); diff != "" {
		t.Errorf("record (-want +got):\n%s", diff)
	}
	if !records[1].Run.Cache.Answer {
		t.Error("a cached answer is not called cached")
	}
	if records[2].Failure.Code != job.InternalLost || records[3].Failure.Code != job.ModelPoison {
		t.Errorf("failures = %+v, %+v", records[2].Failure, records[3].Failure)
	}
}

// Of a trimmed prompt a record counts what was read, of each frame too.
func TestRecordOfATrimmedPrompt(t *testing.T) {
	t.Parallel()
	d := newDesk(t, questions("/x", 2), 500, nil)
	in := d.stageInput(t, 2)
	if _, err := call(t, job.StagePrune, d.prune, in); err != nil {
		t.Fatal(err)
	}
	w, err := d.workOf(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	for i, trimmed := range [][]int{{0, 1}, {1}} {
		r := testReply()
		r.Trimmed, r.Degraded = trimmed, []string{job.DegradedTrimmed}
		d.answer(t, w.items[i].answer, r)
	}
	if _, err := d.record(t.Context(), workflows.RecordInput{StageInput: in}); err != nil {
		t.Fatal(err)
	}
	body, err := d.cfg.Store.Get(t.Context(), artifact.VideoRecords(d.run.Job, 0, 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	records, err := job.ReadLines[job.Record](body)
	if err != nil {
		t.Fatal(err)
	}
	want := []job.Frame{{Index: 0, Kept: 0, Total: 4}, {Index: 99, PTS: 3.3, Kept: 1, Total: 4}}
	if diff := cmp.Diff(want, records[0].Frames, cmpopts.IgnoreFields(job.Frame{}, "Relevance")); diff != "" {
		t.Errorf("frames (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{job.DegradedPartialFrames, job.DegradedTrimmed}, records[0].Degraded); diff != "" {
		t.Errorf("degraded (-want +got):\n%s", diff)
	}
	if f := records[1].Failure; f == nil || f.Code != job.ModelContract {
		t.Errorf("rows of one frame where two were looked at: %+v, want %s", f, job.ModelContract)
	}
}

func TestRecordOfAFailedVideo(t *testing.T) {
	t.Parallel()
	d := newDesk(t, questions("/x", 2), 500, nil)
	in := workflows.RecordInput{StageInput: d.stageInput(t, 2), Failure: job.Fail(job.StageFetch, job.InputMissing, "no such file")}
	in.Keys = workflows.Keys{}
	tally, err := d.record(t.Context(), in)
	if err != nil || tally.Codes[job.InputMissing] != 2 || tally.Ended() != 2 {
		t.Errorf("tally = %+v, %v", tally, err)
	}
}
