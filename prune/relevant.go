package prune

// relevant keeps the k rows most like the query: ReDiPrune's relevance alone.
// Of equals the lower row is kept. A token's score is its relevance. Cost: O(n·(d + log n)).
type relevant struct{}

func newRelevant(o Options) Policy { return newPicker(o, relevant{}) }

func (relevant) usesQuery() bool { return true }

func (relevant) pick(g group, k int) []pick {
	picks := unscored(top(g.relevance, k))
	for i := range picks {
		picks[i].score = g.relevance[picks[i].row]
	}
	return picks
}
