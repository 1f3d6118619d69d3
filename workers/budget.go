package workers

import (
	"context"
	"fmt"

	"github.com/winnow-video/winnow/infer/bundle"
	"github.com/winnow-video/winnow/infer/tensor"
	"github.com/winnow-video/winnow/prune"
	"github.com/winnow-video/winnow/workflows"
	"github.com/winnow-video/winnow/workflows/job"
)

// FitsContext refuses a job whose prompts cannot fit the model's context: where
// the visual tokens of a video that gives all the frames asked for, and the
// answer, leave no room for a single token of text. What text exceeds, and
// strategies that may give fewer frames, are judged item by item: see wordy and refusal.
// Not judged are `fit: trim` and models that are shown frames as images, whose
// context nobody knows here. The error names the fields to change.
func FitsContext(spec job.Spec, m *bundle.Manifest) error {
	if m.Pictures() || spec.Fit == job.FitTrim || mayGiveFewer(spec) {
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

// mayGiveFewer says whether a video that has all the frames asked for may give fewer.
func mayGiveFewer(spec job.Spec) bool {
	s := spec.Frames.Strategy
	return s == job.StrategyFPS || s == job.StrategyKeyframes
}

// Judge returns what tells of an item whether its prompt can fit the model's
// context under every setting, its text included: beside all the frames asked for,
// where FitsContext would judge those, else beside a single token. A video with
// fewer frames may do.
func Judge(spec job.Spec, b *bundle.Bundle) (func(job.Item) error, error) {
	all, err := policies(spec, b)
	if err != nil {
		return nil, err
	}
	w := &work{spec: spec, bundle: b, policies: all}
	judge := w.wordy
	if !mayGiveFewer(spec) {
		judge = w.of(make([]float64, frameCount(spec, &b.Manifest)), 0)
	}
	return func(item job.Item) error {
		for variant := range all {
			if err := judge(task{Item: workflows.Item{Variant: variant}, item: item}); err != nil {
				return err
			}
		}
		return nil
	}, nil
}

// refusal is the failure of a task whose prompt cannot fit the context, of a clip
// of frames at these times; nil where it may. What is in the frames may decide how
// many tokens each keeps, and text may stand beside each that keeps any: as few
// frames as can be are taken to, then. What exceeds the context by less is told
// when the question is put.
func (w *work) refusal(t task, times []float64, seconds float64) error {
	if err := w.wordy(t); err != nil || !w.judges() {
		return err
	}
	p, err := w.prompt(t, w.keptAtLeast(t, len(times)), times, seconds)
	if err != nil {
		return nil // told where the prompt is made
	}
	return w.bundle.Fits(p, w.spec.Generate.Tokens())
}

// wordy is the failure of a task whose text leaves no room for a single visual
// token, whatever its video has to show.
func (w *work) wordy(t task) error {
	if !w.judges() {
		return nil
	}
	answer := w.spec.Generate.Tokens()
	p, err := w.prompt(t, []int{1}, []float64{0}, 0)
	if err != nil || w.bundle.Fits(p, answer) == nil {
		return nil
	}
	return job.Fail(job.StageAnswer, job.ConfigContext,
		"%d tokens of text and %d to answer leave no room for a frame in the model's context of %d: shorten the question and its options, or lower generate.max_tokens",
		p.Len-p.Visual, answer, w.bundle.Context)
}

// judges says whether prompts that cannot fit are refused, by a context that is known here.
func (w *work) judges() bool { return w.spec.Fit != job.FitTrim && !w.bundle.Pictures() }

// keptAtLeast is how many visual tokens t keeps of each of so many frames, in as
// few of them as can be where that is not known before they are seen.
func (w *work) keptAtLeast(t task, frames int) []int {
	policy, most := w.policies[t.Variant], w.bundle.Tokens()
	left := policy.Keeps(frames, most)
	if policy.Even() && frames > 0 {
		most = left / frames
	}
	kept := make([]int, frames)
	for i := range kept {
		kept[i] = min(left, most)
		left -= kept[i]
	}
	return kept
}

// prompt is t's, with the first cells of each frame kept, that is in as few rows as can be.
func (w *work) prompt(t task, kept []int, times []float64, seconds float64) (bundle.Prompt, error) {
	q := bundle.Question{Text: t.item.Question, Options: t.item.Options, Times: times, Duration: seconds}
	for _, n := range kept {
		cells := make([]int32, n)
		for i := range cells {
			cells[i] = int32(i)
		}
		q.Cells = append(q.Cells, cells)
	}
	return w.bundle.Prompt(q, kept)
}

// refusals are the failures of a video's tasks if judge has one for every one of
// them: nothing need be made of its clip then.
func (w *work) refusals(judge func(task) error) (all []workflows.ItemFailure) {
	for _, t := range w.items {
		err := judge(t)
		if err == nil {
			return nil
		}
		all = append(all, failuresOf([]task{t}, job.StageAnswer, err)...)
	}
	return all
}

// of judges tasks by a clip of frames at these times.
func (w *work) of(times []float64, seconds float64) func(task) error {
	return func(t task) error { return w.refusal(t, times, seconds) }
}

// refusedBefore is the failures of a video's tasks if none of their prompts can
// fit, as far as it can be told before anything is made: by their text, or by the
// clip, where an earlier run has made it. It is read only where it matters: if
// prompts with the most frames there may be do not fit.
func (s *stages) refusedBefore(ctx context.Context, w *work, found workflows.Located) ([]workflows.ItemFailure, error) {
	if all := w.refusals(w.wordy); len(all) > 0 || !found.HaveClip {
		return all, nil
	}
	most := make([]float64, frameCount(w.spec, &w.bundle.Manifest))
	if len(w.refusals(w.of(most, 0))) == 0 {
		return nil, nil
	}
	body, err := s.cfg.Store.Get(ctx, found.Clip)
	if isGone(err) {
		return nil, &missing{found.Clip}
	}
	if err != nil {
		return nil, err
	}
	times, seconds, err := timesOf(body)
	if err != nil {
		return nil, job.Fail(job.StageDecode, job.ModelContract, "%s: %v", found.Clip, err)
	}
	return w.refusals(w.of(times, seconds)), nil
}

// timesOf is when a clip's frames are, and how long its video is, in seconds.
func timesOf(clip []byte) (times []float64, seconds float64, err error) {
	file, err := tensor.Decode(clip)
	if err != nil {
		return nil, 0, err
	}
	pts, err := tensor.Get[float64](file, "pts_s")
	return pts.Data, duration(file), err
}
