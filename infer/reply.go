package infer

import (
	"math"
	"slices"
	"strings"

	"github.com/winnow-video/winnow/infer/bundle"
	"github.com/winnow-video/winnow/workflows/job"
)

// outcome makes a reply of what was said to a question.
func (a *Answerer) outcome(asked *asked, u *Utterance) Outcome {
	q := asked.question
	scores := optionLogprobs(u.Letters)
	r := job.Reply{
		V: job.Version, OptionLogprobs: scores, Engine: a.language.Name(), FLOPs: a.flops(asked, len(u.IDs)),
		Tokens: job.Tokens{VisualTotal: q.total, VisualKept: asked.plan.Visual, Prompt: asked.prompt.Len(), Completion: len(u.IDs)},
	}
	text, err := a.bundle.Tokenizer().Decode(u.IDs)
	if err != nil {
		return Outcome{Failure: contract(job.StageAnswer, "%v", err)}
	}
	if q.Generate.Mode == job.ModeScore {
		r.Answer = bestOption(scores)
	} else {
		r.Answer = bundle.ParseAnswer(strings.TrimSpace(text), q.Item.Options)
	}
	if asked.trimmed {
		r.Trimmed = q.kept
	}
	r.Confidence = confidence(r.Answer, scores, u.Logprobs)
	r.Degraded = degraded(asked, r)
	return Outcome{Reply: r}
}

// degraded says what is less than was asked.
func degraded(asked *asked, r job.Reply) []string {
	var all []string
	if asked.trimmed {
		all = append(all, job.DegradedTrimmed)
	}
	if slices.Contains(r.OptionLogprobs, nil) {
		all = append(all, job.DegradedLetters)
	}
	if r.Answer.Parse == job.ParseUnparsed {
		all = append(all, job.DegradedUnparsed)
	}
	return all
}

// optionLogprobs normalises the letters' log-probabilities over the options;
// nil without any. An unknown letter is less likely than every known one: it
// stays unknown, and the others are normalised as if it were impossible.
func optionLogprobs(letters []*float64) []*float64 {
	if len(letters) == 0 {
		return nil
	}
	highest := math.Inf(-1)
	for _, x := range letters {
		if x != nil {
			highest = max(highest, *x)
		}
	}
	var sum float64
	for _, x := range letters {
		if x != nil {
			sum += math.Exp(*x - highest)
		}
	}
	scores := make([]*float64, len(letters))
	for i, x := range letters {
		if x != nil {
			score := rounded(*x - highest - math.Log(sum))
			scores[i] = &score
		}
	}
	return scores
}

// rounded cuts what depends on a question's batch-mates: padding, and a prefix
// that was read apart, move sums about in their last bits, some 1e-6. Of a hundred
// values one or two lie so near the middle that they may still round either way.
func rounded(x float64) float64 { return math.Round(x*1e4)/1e4 + 0 } // -0 + 0 is 0

// bestOption is the option of highest log-probability, the first of equals.
// Where none is known, nothing is chosen.
func bestOption(scores []*float64) job.Answer {
	best := -1
	for i, s := range scores {
		if s != nil && (best < 0 || *s > *scores[best]) {
			best = i
		}
	}
	if best < 0 {
		return job.Answer{Parse: job.ParseUnparsed}
	}
	return job.Answer{Text: job.Letter(best), OptionIndex: &best, Letter: job.Letter(best), Parse: job.ParseScore}
}

// confidence is the softmax over the options at the chosen one; without options
// the geometric mean of the said tokens' probabilities. An answer that is no
// option has none, nor has one whose letter is unknown.
func confidence(answer job.Answer, scores []*float64, said []float64) *float64 {
	var c float64
	switch {
	case answer.OptionIndex != nil && scores[*answer.OptionIndex] != nil:
		c = math.Exp(*scores[*answer.OptionIndex])
	case scores == nil && len(said) > 0:
		for _, x := range said {
			c += x
		}
		c = math.Exp(c / float64(len(said)))
	default:
		return nil
	}
	c = rounded(c)
	return &c
}

// flops compares the prompt as it was with one of all visual tokens. Both count
// the tower, whether or not its tokens were there already, and the whole prompt,
// whether or not others read its prefix: that differs from run to run.
func (a *Answerer) flops(asked *asked, completion int) job.FLOPs {
	work := bundle.Work{
		Frames: len(asked.question.kept), Visual: asked.plan.Visual, Prompt: asked.prompt.Len(), Completion: max(0, completion-1),
	}
	full := work
	full.Visual = asked.question.total
	full.Prompt += asked.question.total - asked.plan.Visual
	if asked.question.mixture != nil {
		work.Projected = asked.question.tokens.Rows()
		full.Projected = len(asked.question.kept) * a.bundle.TowerTokens()
	}
	d := a.bundle.Dims
	return job.FLOPs{Convention: string(bundle.Real), Full: d.FLOPs(bundle.Real, full), Spent: d.FLOPs(bundle.Real, work)}
}
