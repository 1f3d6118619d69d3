package infer

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/winnow-video/winnow/workflows/job"
)

// logSoftmax is log(softmax(logits)); ok is false where a logit is not finite.
func logSoftmax(logits []float32) (logprobs []float32, ok bool) {
	highest := slices.Max(logits)
	var sum float64
	for _, x := range logits {
		if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
			return nil, false
		}
		sum += math.Exp(float64(x - highest))
	}
	norm := float64(highest) + math.Log(sum)
	logprobs = make([]float32, len(logits))
	for i, x := range logits {
		logprobs[i] = float32(float64(x) - norm)
	}
	return logprobs, true
}

// pick chooses the next token: the most likely one (the lowest id of equals) at
// temperature 0, else a sample from the smallest set of tokens whose share reaches TopP.
func pick(logprobs []float32, g job.Generation, r *rand.Rand) int32 {
	best := 0
	for i, x := range logprobs {
		if x > logprobs[best] {
			best = i
		}
	}
	if g.Temperature == 0 {
		return int32(best)
	}
	return nucleus(logprobs, logprobs[best], g, r)
}

func nucleus(logprobs []float32, highest float32, g job.Generation, r *rand.Rand) int32 {
	type choice struct {
		id    int32
		share float64
	}
	choices := make([]choice, len(logprobs))
	var sum float64
	for i, x := range logprobs {
		share := math.Exp(float64(x-highest) / g.Temperature)
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
