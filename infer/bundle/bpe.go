package bundle

import "container/heap"

// pair is two neighbouring tokens.
type pair [2]int32

// merge is what a pair becomes, and how early: the lower the rank, the sooner.
type merge struct {
	rank int
	id   int32
}

// symbol is one token of a piece, linked to its neighbours by index; -1 is none.
type symbol struct {
	id         int32
	prev, next int
	gone       bool
}

// candidate is a merge that may be applied at symbol `at`, unless its pair changed since.
type candidate struct {
	merge
	at   int
	pair pair
}

// queue yields candidates by rank, then from the left.
type queue []candidate

func (q queue) Len() int      { return len(q) }
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q queue) Less(i, j int) bool {
	if q[i].rank != q[j].rank {
		return q[i].rank < q[j].rank
	}
	return q[i].at < q[j].at
}
func (q *queue) Push(c any) { *q = append(*q, c.(candidate)) }
func (q *queue) Pop() any {
	last := len(*q) - 1
	c := (*q)[last]
	*q = (*q)[:last]
	return c
}

// piece is one pre-token while its bytes merge.
type piece struct {
	symbols []symbol
	merges  map[pair]merge
	queue   queue
}

// mergePairs applies merges to ids, the tokens of single bytes: again and again
// the leftmost pair of lowest rank. Cost: O(n log n).
func mergePairs(ids []int32, merges map[pair]merge) []int32 {
	p := piece{symbols: make([]symbol, len(ids)), merges: merges}
	for i, id := range ids {
		p.symbols[i] = symbol{id: id, prev: i - 1, next: i + 1}
	}
	if len(ids) > 0 {
		p.symbols[len(ids)-1].next = -1
	}
	for i := range p.symbols {
		p.offer(i)
	}
	for p.queue.Len() > 0 {
		p.apply(heap.Pop(&p.queue).(candidate))
	}
	return p.ids()
}

// offer queues the merge of symbol i with its right neighbour, if there is one.
func (p *piece) offer(i int) {
	if i < 0 || p.symbols[i].next < 0 {
		return
	}
	at := pair{p.symbols[i].id, p.symbols[p.symbols[i].next].id}
	if m, ok := p.merges[at]; ok {
		heap.Push(&p.queue, candidate{merge: m, at: i, pair: at})
	}
}

// apply merges, unless an earlier merge took either half.
func (p *piece) apply(c candidate) {
	left := &p.symbols[c.at]
	if left.gone || left.next < 0 || (pair{left.id, p.symbols[left.next].id}) != c.pair {
		return
	}
	right := &p.symbols[left.next]
	left.id, left.next, right.gone = c.id, right.next, true
	if left.next >= 0 {
		p.symbols[left.next].prev = c.at
	}
	p.offer(left.prev)
	p.offer(c.at)
}

func (p *piece) ids() []int32 {
	var out []int32
	for _, s := range p.symbols {
		if !s.gone {
			out = append(out, s.id)
		}
	}
	return out
}
