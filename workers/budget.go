package workers

import (
	"fmt"

	"github.com/winnow-video/winnow/infer/bundle"
	"github.com/winnow-video/winnow/prune"
	"github.com/winnow-video/winnow/workflows/job"
)

// FitsContext refuses a job whose prompts cannot fit the model's context: where
// the visual tokens of a video that gives all the frames asked for, and the
// answer, leave no room for a single token of text. What text exceeds is told
// item by item. Strategies that may give fewer frames are not judged, nor are
// `fit: trim` and models that are shown frames as images, whose context nobody
// knows here. The error names the fields to change.
func FitsContext(spec job.Spec, m *bundle.Manifest) error {
	if s := spec.Frames.Strategy; m.Pictures() || spec.Fit == job.FitTrim || s == job.StrategyFPS || s == job.StrategyKeyframes {
		return nil
	}
	frames, answer := frameCount(spec, m), spec.Generate.MaxTokens
	if spec.Generate.Mode == job.ModeScore {
		answer = 0
	}
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
