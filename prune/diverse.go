package prune

// diverse keeps rows unlike each other, whatever the question: ReDiPrune's
// greedy without its relevance, begun at the row farthest from its nearest
// neighbour. Of equals the lower row is taken. A token's score is its distance to
// the nearest taken before it. Cost: O(n²·d) worst case, where
// no two rows are alike; O(n) memory.
type diverse struct{}

func newDiverse(o Options) Policy { return newPicker(o, diverse{}) }

func (diverse) usesQuery() bool { return false }

func (diverse) pick(g group, k int) []pick {
	if k == g.n {
		return unscored(ascending(g.n))
	}
	first, similarity := loneliest(g)
	return greedy(g, ascending(g.n), pick{first, 1 - similarity}, nil, k)
}

// loneliest is the row whose nearest neighbour is farthest, the lowest of
// equals, and its similarity to it. A row is given up as soon as a neighbour is as near as the best row's
// nearest; looking at rows next to it first, where images repeat themselves,
// makes that soon.
func loneliest(g group) (int, float32) {
	best, nearest := 0, float32(2)
	for i := range g.n {
		if s := nearestBelow(g, i, nearest); s < nearest {
			best, nearest = i, s
		}
	}
	return best, nearest
}

// nearestBelow is row i's largest similarity to another row, or some similarity ≥ limit if there is one.
func nearestBelow(g group, i int, limit float32) float32 {
	largest := float32(-2)
	for away := 1; away < g.n && largest < limit; away++ {
		if j := i - away; j >= 0 {
			largest = max(largest, dot(g.row(i), g.row(j)))
		}
		if j := i + away; j < g.n {
			largest = max(largest, dot(g.row(i), g.row(j)))
		}
	}
	return largest
}
