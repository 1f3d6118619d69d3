package prune

import "slices"

// wholeClip is the Policy of every rule that compares frames with each other: it
// has one budget for the clip, whatever the scope. None of them looks at the question.
type wholeClip struct {
	rule  clipRule
	keeps clipBudget
	keep  float64
}

// clipRule picks rows of a clip, 0 ≤ row < T·P, distinct, in any order.
type clipRule func(c *Clip, keep float64) []pick

// clipBudget is how many tokens a clipRule picks of t frames of p tokens.
type clipBudget func(t, p int, keep float64) int

// QueryDependent implements Policy.
func (wholeClip) QueryDependent() bool { return false }

// Keeps implements Policy.
func (w wholeClip) Keeps(t, p int) int { return w.keeps(t, p, w.keep) }

// Even implements Policy.
func (wholeClip) Even() bool { return false }

// Select implements Policy.
func (w wholeClip) Select(c *Clip, _ []float32) (*Selection, error) {
	if _, err := c.all(); err != nil {
		return nil, err
	}
	picks := w.rule(c, w.keep)
	slices.SortFunc(picks, func(a, b pick) int { return a.row - b.row })
	return &Selection{T: c.T, P: c.P, Kept: c.tokens(c.T*c.P, [][]pick{picks})}, nil
}

// change sets dst [P] to 1 − cosine of every cell of frame t and the same cell of frame earlier.
func (c *Clip) change(dst []float32, t, earlier int) {
	for p := range dst {
		dst[p] = 1 - dot(c.row(t*c.P+p), c.row(earlier*c.P+p))
	}
}

// best is, of every frame t, the k[t] rows of largest score, the lower of
// equals. scores are [T·P].
func (c *Clip) best(scores []float32, k []int) []pick {
	chosen := make([][]int, c.T)
	total := 0
	for _, n := range k {
		total += n
	}
	spread(c.T, func(t int) { chosen[t] = top(scores[t*c.P:(t+1)*c.P], k[t]) })
	picks := make([]pick, 0, total)
	for t, cells := range chosen {
		for _, p := range cells {
			row := t*c.P + p
			picks = append(picks, pick{row, scores[row]})
		}
	}
	return picks
}
