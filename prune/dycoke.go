package prune

// newDyCoke is DyCoke's temporal token merging (arXiv 2411.15024, §3.2): of
// frames that follow each other one is kept whole, of the others what differs
// from it. Frames are taken in windows of w. The first of a window is kept whole;
// frame o > 0 of it is compared, cell by cell, with frame o & (o−1), that is o
// without its lowest bit: 1 with 0, 2 with 0, 3 with 2. A token's score is
//
//	s = 1 − V̂ₒₚ·V̂₍ₒ&₍ₒ₋₁₎₎ₚ,  0…2; 0 in frames kept whole
//
// and of every such frame the rows of largest score are kept, the lower of
// equals, equally many in each, give or take one. It is merging in the
// publication's sense: a dropped token is not averaged into another, the similar
// one that stays stands for it. So every kept token is a pick.
//
// w = 2 are the published pairs and w = 4 its windows of four; there the share
// that stays of the compared frames is the parameter. Here the budget is given,
// and w is the least power of two by which it can be met: 2 from keep 0.5, 4 from
// 0.25. Longer windows, below that, are ours. A budget under P keeps P: one frame.
//
// Cost: O(T·P·(D + log P)), O(T·P) memory.
func newDyCoke(o Options) Policy { return wholeClip{dycoke, dycokeBudget, o.Keep} }

func dycoke(c *Clip, keep float64) []pick {
	total := dycokeBudget(c.T, c.P, keep)
	w := dycokeWindow(c.T, c.P, total)
	scores := make([]float32, c.T*c.P)
	spread(c.T, func(t int) {
		if o := t % w; o > 0 {
			c.change(scores[t*c.P:(t+1)*c.P], t, t-o+o&(o-1))
		}
	})
	return c.best(scores, dycokeShares(c.T, c.P, w, total))
}

func dycokeBudget(t, p int, keep float64) int { return max(p, budget(t*p, keep)) }

// dycokeWindow is the least power of two w > 1 by which frames kept whole, one in
// w, fit into total ≥ p tokens.
func dycokeWindow(t, p, total int) int {
	w := 2
	for wholeFrames(t, w)*p > total {
		w *= 2
	}
	return w
}

// wholeFrames is how many of t frames begin a window of w.
func wholeFrames(t, w int) int { return (t + w - 1) / w }

// dycokeShares is how many tokens every frame keeps: total in all.
func dycokeShares(t, p, w, total int) []int {
	whole := wholeFrames(t, w)
	left, others := total-whole*p, t-whole
	shares := make([]int, t)
	for i, seen := 0, 0; i < t; i++ {
		if i%w == 0 {
			shares[i] = p
			continue
		}
		shares[i] = (seen+1)*left/others - seen*left/others
		seen++
	}
	return shares
}
