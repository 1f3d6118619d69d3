package prune

// relevant keeps the k rows most like the query: ReDiPrune's relevance alone.
// Of equals the lower row is kept. Cost: O(n·(d + log n)).
type relevant struct{}

func newRelevant(Options) rule { return relevant{} }

func (relevant) usesQuery() bool { return true }

func (relevant) pick(g group, k int) []int { return top(g.relevance, k) }
