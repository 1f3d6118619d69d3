package prune

// newEVS is Efficient Video Sampling (arXiv 2510.14624, as in vLLM's
// multimodal/evs.py): what did not change since the frame before is dropped. A
// token's score is its dissimilarity to the same cell of the previous frame,
//
//	sₜₚ = 1 − V̂ₜₚ·V̂₍ₜ₋₁₎ₚ,  0…2
//
// Frame 0 is kept whole, unscored; of the others the rows of largest score over
// the whole clip, the lower of equals, until the budget is spent.
//
// Cost: O(T·P·(D + log(T·P))), O(T·P) memory.
func newEVS(o Options) Policy { return wholeClip{evs, evsBudget, o.Keep} }

func evs(c *Clip, keep float64) []pick {
	changes := make([]float32, (c.T-1)*c.P)
	spread(c.T-1, func(t int) { c.change(changes[t*c.P:(t+1)*c.P], t+1, t) })
	total := evsBudget(c.T, c.P, keep)
	picks := append(make([]pick, 0, total), unscored(ascending(c.P))...)
	for _, i := range top(changes, total-c.P) {
		picks = append(picks, pick{c.P + i, changes[i]})
	}
	return picks
}

// evsBudget is max(P, ⌊T·P·(1−q)⌋) with pruning rate q = 1 − keep, in double
// precision as vLLM has it, so that both keep as many: at keep 0.1 of 1000 that
// is 99, since 1 − 0.9 is less than 0.1.
func evsBudget(t, p int, keep float64) int {
	q := 1 - keep
	return max(p, int(float64(t*p)*(1-q)))
}
