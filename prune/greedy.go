package prune

// greedy picks k rows of candidates, first among them, by max-min diversity with
// a bonus: each time it takes the candidate with the largest
//
//	min over the picked s of (1 − V̂ᵢ·V̂ₛ) + bonusᵢ
//
// and the first of equals in candidate order. bonus [g.n] is nil for none.
//
// It is lazy: a score can only fall as picks are added, so one that has not yet
// met all of them is a bound, and only the highest bound is ever brought closer.
// The result is exactly that of the plain rule, at O(k·n·d) worst and far less
// as a rule.
func greedy(g group, candidates []int, first pick, bonus []float32, k int) []pick {
	q := newBounds(g, candidates, first.row, bonus)
	picked := append(make([]pick, 0, k), first)
	for len(picked) < k {
		top := &q[0]
		if top.met < len(picked) {
			top.meet(g, picked[top.met].row)
			q.sink(0)
			continue
		}
		picked = append(picked, pick{top.row, top.score})
		q = q.drop()
	}
	return picked
}

// bound is a candidate and what its score can be at most.
type bound struct {
	score      float32 // (1 − similarity) + bonus
	similarity float32 // the largest to the first met picks
	bonus      float32
	met        int
	row        int
	position   int // in candidate order
}

// before says whether b is to be looked at before other.
func (b bound) before(other bound) bool {
	return b.score > other.score || b.score == other.score && b.position < other.position
}

// meet lowers b to what a further pick leaves of it.
func (b *bound) meet(g group, pick int) {
	b.similarity = max(b.similarity, dot(g.row(b.row), g.row(pick)))
	b.score = (1 - b.similarity) + b.bonus
	b.met++
}

// bounds is a heap, the highest bound first.
type bounds []bound

// newBounds meets every candidate but first with first.
func newBounds(g group, candidates []int, first int, bonus []float32) bounds {
	q := make(bounds, 0, len(candidates))
	for position, row := range candidates {
		if row == first {
			continue
		}
		b := bound{similarity: -2, row: row, position: position}
		if bonus != nil {
			b.bonus = bonus[row]
		}
		b.meet(g, first)
		q = append(q, b)
	}
	for i := len(q)/2 - 1; i >= 0; i-- {
		q.sink(i)
	}
	return q
}

// drop takes the first bound off.
func (q bounds) drop() bounds {
	last := len(q) - 1
	q[0] = q[last]
	q = q[:last]
	q.sink(0)
	return q
}

// sink moves bound i down to where no bound below it is to be looked at before it.
func (q bounds) sink(i int) {
	for {
		child := 2*i + 1
		if child >= len(q) {
			return
		}
		if right := child + 1; right < len(q) && q[right].before(q[child]) {
			child = right
		}
		if !q[child].before(q[i]) {
			return
		}
		q[i], q[child] = q[child], q[i]
		i = child
	}
}
