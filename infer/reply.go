package infer

import (
	"math"
	"strings"

	"github.com/winnow-video/winnow/infer/bundle"
	"github.com/winnow-video/winnow/workflows/job"
)

// outcome makes a reply of what was said to a prompt.
func (a *Answerer) outcome(p *prompt, u *utterance) Outcome {
	q := p.question
	scores := a.optionLogprobs(u.first, len(q.Item.Options))
	r := job.Reply{
		V: job.Version, OptionLogprobs: scores, Engine: a.engine, FLOPs: a.flops(p, len(u.ids)),
		Tokens: job.Tokens{VisualTotal: q.total, VisualKept: p.plan.Visual, Prompt: p.len(), Completion: len(u.ids)},
	}
	text, err := a.bundle.Tokenizer().Decode(u.ids)
	if err != nil {
		return Outcome{Failure: contract(job.StageAnswer, "%v", err)}
	}
	if q.Generate.Mode == job.ModeScore {
		r.Answer = bestOption(scores)
	} else {
		r.Answer = bundle.ParseAnswer(strings.TrimSpace(text), q.Item.Options)
	}
	r.Confidence = confidence(r.Answer, scores, u.logprobs)
	if p.trimmed {
		r.Degraded = append(r.Degraded, job.DegradedTrimmed)
	}
	if r.Answer.Parse == job.ParseUnparsed {
		r.Degraded = append(r.Degraded, job.DegradedUnparsed)
	}
	return Outcome{Reply: r}
}

// optionLogprobs are the options' letters' log-probabilities as the first token,
// normalised over the options; nil without options.
func (a *Answerer) optionLogprobs(first []float32, options int) []*float64 {
	if options == 0 {
		return nil
	}
	letters := make([]float32, options)
	for i, id := range a.bundle.LetterIDs[:options] {
		letters[i] = first[id]
	}
	logprobs, _ := logSoftmax(letters) // finite, as first is
	scores := make([]*float64, options)
	for i, x := range logprobs {
		score := rounded(float64(x))
		scores[i] = &score
	}
	return scores
}

// rounded cuts what depends on a question's batch-mates: padding moves sums
// about in their last bits, some 1e-6.
func rounded(x float64) float64 { return math.Round(x*1e4) / 1e4 }

// bestOption is the option of highest log-probability, the first of equals.
func bestOption(scores []*float64) job.Answer {
	best := 0
	for i, s := range scores {
		if *s > *scores[best] {
			best = i
		}
	}
	return job.Answer{Text: job.Letter(best), OptionIndex: &best, Letter: job.Letter(best), Parse: job.ParseScore}
}

// confidence is the softmax over the options at the chosen one; without options
// the geometric mean of the said tokens' probabilities. An answer that is no
// option has none.
func confidence(answer job.Answer, scores []*float64, said []float64) *float64 {
	var c float64
	switch {
	case answer.OptionIndex != nil:
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
// the tower, whether or not its tokens were there already.
func (a *Answerer) flops(p *prompt, completion int) job.FLOPs {
	work := bundle.Work{
		Frames: len(p.question.kept), Visual: p.plan.Visual, Prompt: p.len(), Completion: max(0, completion-1),
	}
	full := work
	full.Visual = p.question.total
	full.Prompt += p.question.total - p.plan.Visual
	if p.question.mixture != nil {
		work.Projected = p.question.tokens.Rows()
		full.Projected = len(p.question.kept) * a.bundle.TowerTokens()
	}
	d := a.bundle.Dims
	return job.FLOPs{Convention: string(bundle.Real), Full: d.FLOPs(bundle.Real, full), Spent: d.FLOPs(bundle.Real, work)}
}
