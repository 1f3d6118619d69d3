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
// equals, and its similarity to it. A row is given up as soon as some row is as
// near as the best row's nearest. Looking at rows next to it first, where images
// repeat themselves, makes that soon; so does keeping what a row has in common
// with those before it.
func loneliest(g group) (int, float32) {
	best, least := 0, float32(2)
	nearest := make([]float32, g.n) // largest similarity known so far
	for i := range nearest {
		nearest[i] = -2
	}
	for i := range g.n {
		if meetNeighbours(g, i, nearest, least); nearest[i] < least {
			best, least = i, nearest[i]
		}
	}
	return best, least
}

// meetNeighbours brings nearest[i] to row i's largest similarity to another row, or to some similarity ≥ limit.
func meetNeighbours(g group, i int, nearest []float32, limit float32) {
	var rows [4][]float32
	var at [4]int
	waiting := 0
	for away := 1; away < g.n && nearest[i] < limit; away++ {
		for _, j := range [2]int{i - away, i + away} {
			if j < 0 || j >= g.n {
				continue
			}
			rows[waiting], at[waiting] = g.row(j), j
			if waiting++; waiting < len(at) {
				continue
			}
			waiting = 0
			for l, s := range dot4(g.row(i), &rows) {
				nearest[i], nearest[at[l]] = max(nearest[i], s), max(nearest[at[l]], s)
			}
		}
	}
	for l := range waiting {
		nearest[i] = max(nearest[i], dot(g.row(i), rows[l]))
	}
}
