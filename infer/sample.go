package infer

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/winnow-video/winnow/workflows/job"
)

// logSoftmax is log(softmax(logits)); ok is false where a logit is not finite.
// It is most of what a token costs outside the graph.
func logSoftmax(logits []float32) (logprobs []float32, ok bool) {
	highest := logits[0]
	for _, x := range logits {
		if x-x != 0 { // NaN or infinite
			return nil, false
		}
		if x > highest {
			highest = x
		}
	}
	var sum float64
	for _, x := range logits {
		sum += exp(float64(x - highest))
	}
	norm := float64(highest) + math.Log(sum)
	logprobs = make([]float32, len(logits))
	for i, x := range logits {
		logprobs[i] = float32(float64(x) - norm)
	}
	return logprobs, true
}

// exp is e^x for x ≤ 0, within 1e-8 of it and quicker than math.Exp: 2^n·e^r with
// |r| ≤ ln2/2, and e^r by its series.
func exp(x float64) float64 {
	const (
		least = -700    // e^x is no more than 1e-304
		round = 3 << 51 // added and taken off again, it rounds to an integer
	)
	if x < least {
		return 0
	}
	shifted := x*math.Log2E + round
	r := x - (shifted-round)*math.Ln2
	series := 1 + r*(1+r*(1./2+r*(1./6+r*(1./24+r*(1./120+r*(1./720+r*(1./5040)))))))
	return series * math.Float64frombits((math.Float64bits(shifted)+1023)<<52)
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
