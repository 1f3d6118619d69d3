package prune

import (
	"cmp"
	"slices"
)

// rediprune keeps tokens that are relevant to the query and unlike each other
// (ReDiPrune, arXiv 2603.24680, algorithm 1; the tie and candidate rules are
// those of its published code). First the most relevant candidate; then, one by
// one, the candidate with the largest
//
//	min over the picked s of (1 − V̂ᵢ·V̂ₛ) + α·V̂ᵢ·q̂
//
// A token's score is that; the first's is its relevance. Where all are kept none is scored.
//
// Cost: O(k·n·d) worst case, O(n) memory.
type rediprune struct {
	alpha float32
	tau   float64
}

func newReDiPrune(o Options) Policy {
	return newPicker(o, rediprune{alpha: float32(o.Alpha), tau: o.Tau})
}

func (r rediprune) usesQuery() bool { return true }

func (r rediprune) pick(g group, k int) []pick {
	if k == g.n {
		return unscored(ascending(g.n))
	}
	candidates := r.candidates(g.relevance, k)
	bonus := make([]float32, g.n)
	for i, relevance := range g.relevance {
		bonus[i] = r.alpha * relevance
	}
	first := mostRelevant(g.relevance, candidates)
	return greedy(g, candidates, pick{first, g.relevance[first]}, bonus, k)
}

// candidates orders what may be picked. Without τ that is every row. With it,
// a budget below half looks at the 3k most relevant rows, whatever τ is, and a
// larger one at the rows that reach τ, or the k most relevant if fewer do.
func (r rediprune) candidates(relevance []float32, k int) []int {
	n := len(relevance)
	if r.tau <= 0 {
		return ascending(n)
	}
	if k < n/2 {
		return top(relevance, min(n, 3*k))
	}
	pass := slices.DeleteFunc(ascending(n), func(i int) bool { return relevance[i] < float32(r.tau) })
	if len(pass) < k {
		return top(relevance, k)
	}
	return pass
}

// mostRelevant is the candidate of largest relevance, the first of equals.
func mostRelevant(relevance []float32, candidates []int) int {
	best := candidates[0]
	for _, i := range candidates {
		if relevance[i] > relevance[best] {
			best = i
		}
	}
	return best
}

// top is the k rows of largest relevance, descending, the lower of equals first.
func top(relevance []float32, k int) []int {
	rows := ascending(len(relevance))
	slices.SortStableFunc(rows, func(a, b int) int { return cmp.Compare(relevance[b], relevance[a]) })
	return rows[:k]
}

// ascending is 0, 1, … n-1.
func ascending(n int) []int {
	rows := make([]int, n)
	for i := range rows {
		rows[i] = i
	}
	return rows
}
