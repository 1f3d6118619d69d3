package bundle

import "unicode/utf8"

// bpe is byte pair encoding: the symbols of a piece, merged by rank.
type bpe struct {
	ids    map[string]int32 // of tokens as text has them
	bytes  [256]int32       // of single bytes
	chars  bool             // symbols are characters, bytes only of those without a token
	whole  bool             // a piece that is a token stays one: ignore_merges
	merges map[pair]merge
}

// pair is two neighbouring tokens.
type pair [2]int32

// merge is what a pair becomes, and how early: the lower the rank, the sooner.
type merge struct{ rank, id int32 }

func (m *bpe) encode(piece string) []int32 {
	if m.whole {
		if id, ok := m.ids[piece]; ok {
			return []int32{id}
		}
	}
	return mergePairs(m.symbols(piece), m.merges)
}

// symbols is what piece consists of before any merge.
func (m *bpe) symbols(piece string) []int32 {
	ids := make([]int32, 0, len(piece))
	for len(piece) > 0 {
		size := 1
		if m.chars {
			_, size = utf8.DecodeRuneInString(piece)
		}
		ids = m.appendSymbol(ids, piece[:size])
		piece = piece[size:]
	}
	return ids
}

// appendSymbol appends the token of a character, or those of its bytes.
func (m *bpe) appendSymbol(ids []int32, char string) []int32 {
	if m.chars {
		if id, ok := m.ids[char]; ok {
			return append(ids, id)
		}
	}
	for i := range len(char) {
		ids = append(ids, m.bytes[char[i]])
	}
	return ids
}

// symbol is one token of a piece, linked to its neighbours by index; -1 is none.
type symbol struct {
	id         int32 // none if merged into the symbol before it
	prev, next int32
}

// candidate is a merge that may be applied at symbol `at`, unless its pair changed since.
type candidate struct{ rank, at, id int32 }

// before says whether a applies first: by rank, then from the left.
func (a candidate) before(b candidate) bool {
	return a.rank < b.rank || a.rank == b.rank && a.at < b.at
}

// queue is a heap of candidates. container/heap would box each: twice the time.
type queue []candidate

func (q *queue) push(c candidate) {
	*q = append(*q, c)
	h := *q
	for i := len(h) - 1; i > 0; {
		parent := (i - 1) / 2
		if !h[i].before(h[parent]) {
			return
		}
		h[i], h[parent] = h[parent], h[i]
		i = parent
	}
}

func (q *queue) pop() candidate {
	h := *q
	top, last := h[0], len(h)-1
	h[0] = h[last]
	h = h[:last]
	*q = h
	for i := 0; ; {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(h); child++ {
			if h[child].before(h[least]) {
				least = child
			}
		}
		if least == i {
			return top
		}
		h[i], h[least] = h[least], h[i]
		i = least
	}
}

// piece is one pre-token while its symbols merge.
type piece struct {
	symbols []symbol
	merges  map[pair]merge
	queue   queue
}

// mergePairs applies merges to ids: again and again the leftmost pair of lowest
// rank. Cost: O(n log n).
func mergePairs(ids []int32, merges map[pair]merge) []int32 {
	if len(ids) < 2 {
		return ids
	}
	p := piece{symbols: make([]symbol, len(ids)), merges: merges, queue: make(queue, 0, len(ids))}
	for i, id := range ids {
		p.symbols[i] = symbol{id: id, prev: int32(i) - 1, next: int32(i) + 1}
	}
	p.symbols[len(ids)-1].next = none
	for i := range p.symbols {
		p.offer(int32(i))
	}
	for len(p.queue) > 0 {
		p.apply(p.queue.pop())
	}
	return p.collect(ids[:0])
}

// offer queues the merge of symbol i with its right neighbour, if there is one.
func (p *piece) offer(i int32) {
	if m, ok := p.merge(i); ok {
		p.queue.push(candidate{rank: m.rank, at: i, id: m.id})
	}
}

// merge is what symbol i and its right neighbour become.
func (p *piece) merge(i int32) (merge, bool) {
	if i < 0 || p.symbols[i].next < 0 {
		return merge{}, false
	}
	m, ok := p.merges[pair{p.symbols[i].id, p.symbols[p.symbols[i].next].id}]
	return m, ok
}

// apply merges, unless an earlier merge took either half. A pair that changed but
// still makes the same token is merged at the old rank, as HF and SentencePiece do.
func (p *piece) apply(c candidate) {
	if m, ok := p.merge(c.at); !ok || m.id != c.id {
		return
	}
	left := &p.symbols[c.at]
	right := &p.symbols[left.next]
	left.id, left.next, right.id = c.id, right.next, none
	if left.next >= 0 {
		p.symbols[left.next].prev = c.at
	}
	p.offer(left.prev)
	p.offer(c.at)
}

func (p *piece) collect(out []int32) []int32 {
	for _, s := range p.symbols {
		if s.id != none {
			out = append(out, s.id)
		}
	}
	return out
}
