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
// tokens it takes between a tenth and a half of the plain rule's similarities; k²/2
// of them, between the picks themselves, no lazy rule can spare. That is also why
// bounds on a similarity (triangles, norms of parts of a row) were left out: what
// they could still spare is less than they cost.
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
	tile       tile
}

// bound is what a candidate's score can be at most.
type bound struct {
	similarity float32 // the largest to the first met picks
	bonus      float32
	met        int32
}

func (b bound) score() float32 { return (1 - b.similarity) + b.bonus }

// newSearch has met every candidate with the first pick.
func newSearch(g group, candidates []int, first pick, bonus []float32, k int) *search {
	s := &search{
		group: g, candidates: candidates,
		bounds: make([]bound, len(candidates)), queue: make(queue, 0, len(candidates)),
		picked: append(make([]pick, 0, k), first),
		front:  front(len(candidates)),
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

// tile is a tile's rows, and the largest similarity of each to its picks.
type tile struct {
	at      [tileRows]int // in the queue
	rows    [tileRows][]float32
	nearest [tileRows]float32
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
	picks := s.picked[met:min(len(s.picked), int(met)+tilePicks)]
	n := 0
	for i := range min(s.front, len(s.queue)) {
		if position := s.queue[i].position(); s.bounds[position].met == met {
			s.tile.at[n], s.tile.rows[n] = i, s.row(s.candidates[position])
			n++
		}
	}
	s.meet(s.tile.rows[:n], picks)
	for i, at := range s.tile.at[:n] {
		position := s.queue[at].position()
		b := &s.bounds[position]
		b.similarity = max(b.similarity, s.tile.nearest[i])
		b.met += int32(len(picks))
		s.queue[at] = entryOf(b.score(), position)
	}
	for i := n - 1; i >= 0; i-- { // from below, so that each finds a heap under it
		s.queue.sink(s.tile.at[i])
	}
}

// meet sets nearest to every row's largest similarity to picks; two or three of
// them cost what four do.
func (s *search) meet(rows [][]float32, picks []pick) {
	if len(picks) == 1 {
		sweep(s.row(picks[0].row), func(i int) []float32 { return rows[i] }, s.tile.nearest[:len(rows)])
		return
	}
	var columns [tilePicks][]float32
	for i := range columns {
		columns[i] = s.row(picks[min(i, len(picks)-1)].row)
	}
	for i, row := range rows {
		d := dot4(row, &columns)
		s.tile.nearest[i] = max(d[0], d[1], d[2], d[3])
	}
}
