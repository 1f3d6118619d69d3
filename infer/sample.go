package infer

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/winnow-video/winnow/workflows/job"
)

// scores are one step's logits [V], and what makes log-probabilities of them.
type scores struct {
	logits  []float32
	highest float32
	norm    float64 // log Σ e^logit
}

// newScores reads logits; ok is false where one is not finite.
func newScores(logits []float32) (s scores, ok bool) {
	top, ok := highest(logits)
	if !ok {
		return s, false
	}
	return scores{logits: logits, highest: top, norm: float64(top) + math.Log(sumExp(logits, top))}, true
}

// logprob is a token's, rounded to single precision as its logit is.
func (s scores) logprob(id int32) float64 {
	return float64(float32(float64(s.logits[id]) - s.norm))
}

func (s scores) logprobs(ids []int32) []*float64 {
	all := make([]*float64, len(ids))
	for i, id := range ids {
		x := s.logprob(id)
		all[i] = &x
	}
	return all
}

// pick chooses the next token: the most likely one (the lowest id of equals) at
// temperature 0, else a sample from the smallest set of tokens whose share reaches TopP.
func (s scores) pick(g job.Generation, r *rand.Rand) int32 {
	if g.Temperature == 0 {
		return int32(slices.Index(s.logits, s.highest))
	}
	return s.nucleus(g, r)
}

func (s scores) nucleus(g job.Generation, r *rand.Rand) int32 {
	type choice struct {
		id    int32
		share float64
	}
	choices := make([]choice, len(s.logits))
	var sum float64
	for i, x := range s.logits {
		share := math.Exp(float64(x-s.highest) / g.Temperature)
		choices[i] = choice{int32(i), share}
		sum += share
	}
	slices.SortStableFunc(choices, func(x, y choice) int { return cmp.Compare(y.share, x.share) })
	var within float64
	n := 0
	for n < len(choices) && within < g.TopP*sum {
		within += choices[n].share
		n++
	}
	at := r.Float64() * within
	for _, c := range choices[:n] {
		if at -= c.share; at < 0 {
			return c.id
		}
	}
	return choices[n-1].id
}
