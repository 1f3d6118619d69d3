package prune

// uniform keeps evenly spaced rows: the middles of k equal stretches. Cost: O(k).
type uniform struct{}

func newUniform(Options) rule { return uniform{} }

func (uniform) usesQuery() bool { return false }

func (uniform) pick(g group, k int) []int {
	rows := make([]int, k)
	for i := range rows {
		rows[i] = (2*i + 1) * g.n / (2 * k)
	}
	return rows
}
