package prune

// newFrames keeps whole frames, evenly spaced, and nothing of the others: what
// sampling fewer frames would have cost the same. They are the middles of F equal
// stretches of the clip, F = max(1, T·keep rounded half to even), so the budget is
// met to the nearest whole frame. No token is scored. Cost: O(F·P).
func newFrames(o Options) Policy { return wholeClip{frames, framesBudget, o.Keep} }

func frames(c *Clip, keep float64) []pick {
	kept := uniform{}.pick(group{n: c.T}, budget(c.T, keep))
	picks := make([]pick, 0, len(kept)*c.P)
	for _, frame := range kept {
		for p := range c.P {
			picks = append(picks, pick{row: frame.row*c.P + p})
		}
	}
	return picks
}

func framesBudget(t, p int, keep float64) int { return budget(t, keep) * p }
