package workers

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/winnow-video/winnow/infer/tensor"
	"github.com/winnow-video/winnow/workflows"
	"github.com/winnow-video/winnow/workflows/artifact"
	"github.com/winnow-video/winnow/workflows/job"
)

// The test's bundle has 4 tokens a frame and a context of 200.
func TestFitsContext(t *testing.T) {
	t.Parallel()
	m := testManifest()
	score := func(s *job.Spec, visual int) { // a token a frame
		s.Generate.Mode, s.Frames.Count, s.Prune = job.ModeScore, visual, job.Prunings{{Method: "uniform", Keep: 0.25}}
	}
	for name, c := range map[string]struct {
		change func(*job.Spec)
		says   string // empty: it fits
	}{
		"no more than the answer leaves": {func(s *job.Spec) { s.Frames.Count = 41 }, ""},
		"no token left for text":         {func(s *job.Spec) { s.Frames.Count = 42 }, "42 frames"},
		"scores take one token":          {func(s *job.Spec) { score(s, 198) }, ""},
		"and not none":                   {func(s *job.Spec) { score(s, 199) }, "199 frames"},
		"scenes are as many as asked":    {func(s *job.Spec) { s.Frames = job.Frames{Count: 50, Strategy: job.StrategyScene} }, "50 frames"},
		"a rate may give fewer":          {func(s *job.Spec) { s.Frames = job.Frames{Count: 50, FPS: 1, Strategy: job.StrategyFPS} }, ""},
		"trimmed":                        {func(s *job.Spec) { s.Frames.Count, s.Fit = 50, job.FitTrim }, ""},
	} {
		err := FitsContext(testSpec("b", func(s *job.Spec) { s.Prune = job.Prunings{{Method: "none"}}; c.change(s) }), &m)
		if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", name, err, c.says)
		}
	}
}

// storedClip is a clip of so many frames, as an earlier run left it.
func storedClip(t *testing.T, d *desk, frames int) workflows.Located {
	t.Helper()
	clip := &tensor.File{Metadata: map[string]string{"duration_s": "4"}}
	tensor.Put(clip, "pts_s", tensor.New[float64](frames))
	content, err := tensor.Encode(clip)
	if err != nil {
		t.Fatal(err)
	}
	found := workflows.Located{Keys: workflows.Keys{Clip: artifact.Clip("source", frames)}, HaveClip: true}
	put(t, d.cfg.Store, found.Clip, content)
	return found
}

// What can be told before a video is decoded is told then: what no text leaves room
// for, and what no clip does that is there already.
func TestRefusedBefore(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("What is it? ", 100)
	for name, c := range map[string]struct {
		texts  [2]string
		frames int // of the clip; 0: there is none
		change func(*job.Spec)
		says   string // of both items; empty: nothing is refused
	}{
		"two texts":             {texts: [2]string{long, long}, says: "leave no room for a frame"},
		"one text":              {texts: [2]string{long, "What?"}},
		"texts that are cut":    {texts: [2]string{long, long}, change: func(s *job.Spec) { s.Fit = job.FitTrim }},
		"frames, not seen":      {texts: [2]string{"What?", "Who?"}},
		"frames of a clip":      {texts: [2]string{"What?", "Who?"}, frames: 60, says: "60 visual tokens, the text around them"},
		"a text and frames":     {texts: [2]string{long, "Who?"}, frames: 60, says: "the model's context of 200"},
		"few frames of a clip":  {texts: [2]string{"What?", "Who?"}, frames: 2},
		"few frames beside one": {texts: [2]string{long, "Who?"}, frames: 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			items := questions("/x", 2)
			items[0].Question, items[1].Question = c.texts[0], c.texts[1]
			d := newDesk(t, items, 500, func(s *job.Spec) {
				s.Frames = job.Frames{Count: 60, FPS: 1, Strategy: job.StrategyFPS}
				if c.change != nil {
					c.change(s)
				}
			})
			w, err := d.workOf(t.Context(), d.stageInput(t, 2))
			if err != nil {
				t.Fatal(err)
			}
			var found workflows.Located
			if c.frames > 0 {
				found = storedClip(t, d, c.frames)
			}
			failed, err := d.refusedBefore(t.Context(), w, found)
			if err != nil || (len(failed) == 2) != (c.says != "") {
				t.Errorf("%v, %v, want %q", failed, err, c.says)
			}
			for _, f := range failed {
				if f.Failure.Code != job.ConfigContext || !strings.Contains(f.Failure.Detail, c.says) {
					t.Errorf("%+v, want %q", f.Failure, c.says)
				}
			}
		})
	}
}

// A text that is too long is refused in the same words whether or not tokens were
// kept for it before, by a question that shares them.
func TestTooLongBesideSharedTokens(t *testing.T) {
	t.Parallel()
	items := questions("/x", 2)
	items[1].Question = strings.Repeat("What is it? ", 100)
	d := newDesk(t, items, 500, func(s *job.Spec) { s.Prune = job.Prunings{{Method: "uniform", Keep: 0.5}} })
	in := d.stageInput(t, 2)
	for run := range 2 {
		out, err := call(t, job.StagePrune, d.prune, in)
		if err != nil || len(out.Failed) != 1 || out.Failed[0].Line != 1 || !strings.Contains(out.Failed[0].Failure.Detail, "no room for a frame") {
			t.Errorf("run %d: %+v, %v", run, out.Failed, err)
		}
	}
}

// What a policy keeps of each frame, where it is the same for all, tells how many
// of them are mentioned; else as few as can be are.
func TestKeptAtLeast(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pruning job.Pruning
		want    []int // of 3 frames of 4 tokens
	}{
		{job.Pruning{Method: "rediprune", Keep: 0.5, Query: job.QueryPrompt}, []int{2, 2, 2}},
		{job.Pruning{Method: "rediprune", Keep: 0.5, Query: job.QueryPrompt, Scope: job.ScopeClip}, []int{4, 2, 0}},
		{job.Pruning{Method: "frames", Keep: 0.4}, []int{4, 0, 0}},
		{job.Pruning{Method: "none"}, []int{4, 4, 4}},
	} {
		d := newDesk(t, questions("/x", 1), 500, func(s *job.Spec) { s.Prune = job.Prunings{c.pruning} })
		w, err := d.workOf(t.Context(), d.stageInput(t, 1))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, w.keptAtLeast(w.items[0], 3)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.pruning.Variant(), diff)
		}
	}
}
