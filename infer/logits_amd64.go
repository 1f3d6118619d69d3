package infer

import "golang.org/x/sys/cpu"

// hasAVX2 says whether the vector code below runs here. It gives the bits that the Go code gives.
var hasAVX2 = cpu.X86.HasAVX2

// highestLanes is highest of logits that are a multiple of lanes, none or more.
func highestLanes(logits []float32) (top float32, ok bool) {
	if !hasAVX2 || len(logits) == 0 {
		return highestGo(logits)
	}
	top, bad := highestAVX2(&logits[0], len(logits))
	return top, bad == 0
}

// addExps adds e^(logit-top) to the sums, logit i to number i mod lanes. Logits are a multiple of lanes.
func addExps(sums *[lanes]float64, logits []float32, top float32) {
	if !hasAVX2 || len(logits) == 0 {
		addExpsGo(sums, logits, top)
		return
	}
	addExpsAVX2(sums, &logits[0], len(logits), top)
}

// highestAVX2 returns, beside the highest of n logits, a NaN where one is not finite, else 0.
//
//go:noescape
func highestAVX2(logits *float32, n int) (top, bad float32)

//go:noescape
func addExpsAVX2(sums *[lanes]float64, logits *float32, n int, top float32)
