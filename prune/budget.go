package prune

import "math"

// budget is how many of n tokens a keep ratio leaves: n·keep rounded half to
// even, at least 1 and at most n (arXiv 2603.24680, as published in code).
func budget(n int, keep float64) int {
	return min(max(1, int(math.RoundToEven(float64(n)*keep))), n)
}
