package workers

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/winnow-video/winnow/infer/tensor"
	"github.com/winnow-video/winnow/workflows/job"
)

// Tokens that are no numbers fail the questions about their video, however many
// they are: a single one's selection finds it out by itself.
func TestTokensThatAreNoNumbers(t *testing.T) {
	t.Parallel()
	r := newRig(t, startShared(t))
	r.video(t, "one.mp4", 1)
	r.video(t, "three.mp4", 3)
	r.oracle.spoil = func(tokens tensor.Dense[tensor.Float16]) {
		tokens.Row(1)[5] = tensor.ToFloat16(float32(math.NaN()))
	}
	r.oracle.start(t)
	r.start(t)
	r.wait(t)
	r.wantEnds(t, map[string]job.Code{"one.mp4": job.ModelNotFinite, "three.mp4": job.ModelNotFinite})
}

// A prompt that cannot fit the context costs its own question, before anything is
// selected for it; a clip is of no use where that is true of all.
func TestPromptsBeyondTheContext(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		long   []int // lines whose question alone exceeds the context
		change func(*job.Spec)
		failed []int
		all    bool
	}{
		"one of two":  {long: []int{1}, failed: []int{1}},
		"both":        {long: []int{0, 1}, failed: []int{0, 1}, all: true},
		"neither":     {},
		"trimmed":     {long: []int{1}, change: func(s *job.Spec) { s.Fit = job.FitTrim }},
		"the answers": {change: func(s *job.Spec) { s.Generate.MaxTokens = 190 }, failed: []int{0, 1}, all: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			items := questions("/x", 2)
			for _, line := range c.long {
				items[line].Question = strings.Repeat("What is it? ", 100)
			}
			d := newDesk(t, items, 500, c.change)
			in := d.stageInput(t, 2)
			w, err := d.workOf(t.Context(), in)
			if err != nil {
				t.Fatal(err)
			}
			out, err := call(t, job.StagePrune, d.prune, in)
			if err != nil {
				t.Fatal(err)
			}
			var failed []int
			for _, f := range out.Failed {
				if failed = append(failed, f.Line); f.Failure.Code != job.ConfigContext || f.Failure.Stage != job.StageAnswer {
					t.Errorf("line %d: %+v", f.Line, f.Failure)
				}
			}
			slices.Sort(failed)
			if !slices.Equal(failed, c.failed) {
				t.Errorf("lines %v fail, want %v", failed, c.failed)
			}
			for _, task := range w.items {
				if kept, err := d.has(t.Context(), task.kept); err != nil || kept == slices.Contains(c.failed, task.Line) {
					t.Errorf("line %d: kept tokens are there: %v, %v", task.Line, kept, err)
				}
			}
			if all := w.refusals(w.of([]float64{0, 3.3}, 4)); (len(all) == 2) != c.all {
				t.Errorf("after decoding %v fail, want all of them or none: %v", all, c.all)
			}
		})
	}
}
