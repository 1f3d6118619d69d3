package infer

import "math"

// The sums below run over every word of a vocabulary at every token: they are
// most of what a token costs outside the graph. Vector code, where there is
// some, gives the bits that the Go code gives.

// lanes is how many partial sums sumExp keeps: logit i goes into number i mod lanes.
const lanes = 8

// highest is the largest of one logit or more; ok is false where one is not finite.
func highest(logits []float32) (top float32, ok bool) {
	whole := len(logits) &^ (lanes - 1)
	a, finite := highestLanes(logits[:whole])
	b, tail := highestGo(logits[whole:])
	return max(a, b), finite && tail
}

// highestGo is highest of no logit or more; of none it is -Inf.
func highestGo(logits []float32) (top float32, ok bool) {
	top = float32(math.Inf(-1))
	for _, x := range logits {
		if x-x != 0 { // NaN or infinite
			return 0, false
		}
		top = max(top, x)
	}
	return top, true
}

// sumExp is Σ e^(logit-top), where no logit is above top.
func sumExp(logits []float32, top float32) float64 {
	whole := len(logits) &^ (lanes - 1)
	var sums [lanes]float64
	addExps(&sums, logits[:whole], top)
	for i, x := range logits[whole:] {
		sums[i] += exp(float64(x - top))
	}
	var sum float64
	for _, x := range sums {
		sum += x
	}
	return sum
}

// addExpsGo adds e^(logit-top) to the sums; logits are a multiple of lanes.
func addExpsGo(sums *[lanes]float64, logits []float32, top float32) {
	for ; len(logits) > 0; logits = logits[lanes:] {
		for i, x := range logits[:lanes] {
			sums[i] += exp(float64(x - top))
		}
	}
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
