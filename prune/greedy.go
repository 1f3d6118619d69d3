package prune

// greedy picks k rows of candidates, first among them, by max-min diversity with
// a bonus: each time it takes the candidate with the largest
//
//	min over the picked s of (1 − V̂ᵢ·V̂ₛ) + bonusᵢ
//
// and the first of equals in candidate order. bonus [g.n] is nil for none.
//
// It is lazy: a score can only fall as picks are added, so one that has not yet
// met all of them is a bound, and only the highest bounds are brought closer. The
// result is exactly that of the plain rule, at O(k·n·d) worst. On real and synthetic
// tokens it takes between a tenth and two fifths of the plain rule's similarities,
// of which gaps spare some more.
func greedy(g group, candidates []int, first pick, bonus []float32, k int) []pick {
	s := newSearch(g, candidates, first, bonus, k)
	for len(s.picked) < k {
		if !s.take() {
			s.approach()
		}
	}
	return s.picked
}

// search is a greedy selection under way. A candidate goes by its position.
type search struct {
	group
	candidates []int
	bounds     []bound
	queue      queue // of those not picked
	picked     []pick
	front      int // of the queue
	gaps       gaps
	tile       tile
}

// bound is what a candidate's score can be at most.
type bound struct {
	similarity float32 // the largest to the first met picks
	bonus      float32
	met        int32
	nearest    int32 // of the picks met, the one of that similarity
}

// meet brings b closer by the next picks.
func (b *bound) meet(similarities *[tilePicks]float32, picks int) {
	for i, x := range similarities {
		if x > b.similarity {
			b.similarity, b.nearest = x, b.met+int32(i)
		}
	}
	b.met += int32(picks)
}

func (b bound) score() float32 { return (1 - b.similarity) + b.bonus }

// newSearch has met every candidate with the first pick.
func newSearch(g group, candidates []int, first pick, bonus []float32, k int) *search {
	s := &search{
		group: g, candidates: candidates,
		bounds: make([]bound, len(candidates)), queue: make(queue, 0, len(candidates)),
		picked: append(make([]pick, 0, k), first),
		front:  front(len(candidates)),
		gaps:   newGaps(k, g.d),
	}
	similarities := make([]float32, len(candidates))
	sweep(g.row(first.row), func(i int) []float32 { return g.row(candidates[i]) }, similarities)
	for position, row := range candidates {
		b := bound{similarity: similarities[position], met: 1}
		if bonus != nil {
			b.bonus = bonus[row]
		}
		s.bounds[position] = b
		if row != first.row {
			s.queue = append(s.queue, entryOf(b.score(), position))
		}
	}
	s.queue.heapify()
	return s
}

// take picks the first in the queue, if its bound is its score.
func (s *search) take() bool {
	position := s.queue.first()
	b := s.bounds[position]
	if int(b.met) < len(s.picked) {
		return false
	}
	s.gaps.add(len(s.picked), b)
	s.picked = append(s.picked, pick{s.candidates[position], b.score()})
	s.queue = s.queue.drop()
	return true
}

// A tile is what meets at once: the rows at the front of the queue, nearly all of
// which would be next anyway, and a few picks. The picks stay in the innermost
// cache (32 KB, at 1024 wide) while the rows pass, so that a row is read from afar
// once for four picks, and a pick once for the whole front.
const (
	tilePicks = 4
	tileRows  = 63
)

// tile is a tile's rows and picks, and how near each row is to each pick. Of fewer
// picks than tilePicks the last one stands for those that lack.
type tile struct {
	picks        []pick
	n            int           // rows
	at           [tileRows]int // in the queue
	rows         [tileRows][]float32
	similarities [tileRows][tilePicks]float32
}

// front is how many entries of the queue are looked at together: whole levels of
// the heap, of at most a 32nd of n candidates. More would meet picks in vain.
func front(n int) int {
	width := 7
	for 2*width+1 <= min(n/32, tileRows) {
		width = 2*width + 1
	}
	return width
}

// approach brings the first bound closer by up to tilePicks picks, and with it
// those at the front of the queue that have the same picks before them.
func (s *search) approach() {
	met := s.bounds[s.queue.first()].met
	s.fill(met)
	s.meet()
	t := &s.tile
	for i, at := range t.at[:t.n] {
		position := s.queue[at].position()
		b := &s.bounds[position]
		b.meet(&t.similarities[i], len(t.picks))
		s.queue[at] = entryOf(b.score(), position)
	}
	for i := t.n - 1; i >= 0; i-- { // from below, so that each finds a heap under it
		s.queue.sink(t.at[i])
	}
}

// fill makes a tile of the picks after the first met and of those rows at the
// front that have met as many and may be nearer to the next. The others are
// spared what they need not meet, which leaves their scores.
func (s *search) fill(met int32) {
	t := &s.tile
	t.picks, t.n = s.picked[met:min(len(s.picked), int(met)+tilePicks)], 0
	for i := range min(s.front, len(s.queue)) {
		position := s.queue[i].position()
		b := &s.bounds[position]
		if b.met != met {
			continue
		}
		if b.met = s.gaps.skip(*b); b.met == met {
			t.at[t.n], t.rows[t.n] = i, s.row(s.candidates[position])
			t.n++
		}
	}
}

// meet sets the similarities of the tile's rows to its picks; two or three of
// them cost what four do.
func (s *search) meet() {
	t := &s.tile
	if len(t.picks) == 1 {
		var single [tileRows]float32
		sweep(s.row(t.picks[0].row), func(i int) []float32 { return t.rows[i] }, single[:t.n])
		for i, x := range single[:t.n] {
			t.similarities[i] = [tilePicks]float32{x, x, x, x}
		}
		return
	}
	var columns [tilePicks][]float32
	for i := range columns {
		columns[i] = s.row(t.picks[min(i, len(t.picks)-1)].row)
	}
	for i, row := range t.rows[:t.n] {
		t.similarities[i] = dot4(row, &columns)
	}
}
