package prune

// uniform keeps evenly spaced rows: the middles of k equal stretches. Cost: O(k).
type uniform struct{}

func newUniform(o Options) Policy { return newPicker(o, uniform{}) }

func (uniform) usesQuery() bool { return false }

func (uniform) pick(g group, k int) []pick {
	picks := make([]pick, k)
	for i := range picks {
		picks[i].row = (2*i + 1) * g.n / (2 * k)
	}
	return picks
}
