package workers

import (
	"fmt"

	"github.com/winnow-video/winnow/infer/bundle"
	"github.com/winnow-video/winnow/prune"
	"github.com/winnow-video/winnow/workflows"
	"github.com/winnow-video/winnow/workflows/job"
)

// FitsContext refuses a job whose prompts cannot fit the model's context: where
// the visual tokens of a video that gives all the frames asked for, and the
// answer, leave no room for a single token of text. What text exceeds, and
// strategies that may give fewer frames, are judged item by item: see refusal.
// Not judged are `fit: trim` and models that are shown frames as images, whose
// context nobody knows here. The error names the fields to change.
func FitsContext(spec job.Spec, m *bundle.Manifest) error {
	if s := spec.Frames.Strategy; m.Pictures() || spec.Fit == job.FitTrim || s == job.StrategyFPS || s == job.StrategyKeyframes {
		return nil
	}
	frames, answer := frameCount(spec, m), spec.Generate.Tokens()
	for _, p := range spec.Prune {
		policy, err := prune.New(pruneOptions(p, m))
		if err != nil {
			return err
		}
		if visual := policy.Keeps(frames, m.Tokens()); visual+answer >= m.Context {
			return fmt.Errorf(
				"%s keeps %d of %d visual tokens (%d frames), and %d are left to answer: the context of %s is %d: lower frames.count, prune.keep or generate.max_tokens, or set fit: trim",
				p.Variant(), visual, frames*m.Tokens(), frames, answer, m.Name, m.Context)
		}
	}
	return nil
}

// refusal is the failure of a task whose prompt cannot fit the context, of a clip
// of frames at these times; nil where it may. Which frames keep tokens is not
// known yet, and text may stand beside each that does: as few as can be are taken
// to. What exceeds the context by less is told when the question is put.
func (w *work) refusal(t task, times []float64, seconds float64) error {
	if w.spec.Fit == job.FitTrim || w.bundle.Pictures() {
		return nil
	}
	visual := w.policies[t.Variant].Keeps(len(times), w.bundle.Tokens())
	q := bundle.Question{Text: t.item.Question, Options: t.item.Options, Times: times, Duration: seconds}
	kept := make([]int, len(times))
	q.Cells = make([][]int32, len(times))
	for i := range times {
		kept[i] = min(visual, w.bundle.Tokens())
		visual -= kept[i]
		for cell := range kept[i] {
			q.Cells[i] = append(q.Cells[i], int32(cell))
		}
	}
	p, err := w.bundle.Prompt(q, kept)
	if err != nil {
		return nil // told where the prompt is made
	}
	return w.bundle.Fits(p, w.spec.Generate.Tokens())
}

// refusals are the failures of a video's tasks if none of their prompts can fit:
// its clip is of no use then.
func (w *work) refusals(times []float64, seconds float64) (all []workflows.ItemFailure) {
	for _, t := range w.items {
		err := w.refusal(t, times, seconds)
		if err == nil {
			return nil
		}
		all = append(all, failuresOf([]task{t}, job.StageAnswer, err)...)
	}
	return all
}
