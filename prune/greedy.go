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

// A tile is as many rows and picks as meet at once: few enough for the picks to
// stay in the innermost cache (32 KB) while the rows pass, at 1024 wide. The rows
// are the front of the queue, its first three levels; nearly all of them would be
// next anyway.
const (
	tileRows  = 7
	tilePicks = 4
)

// approach brings the first bound closer by up to tilePicks picks, and with it
// those at the front of the queue that have the same picks before them.
func (s *search) approach() {
	met := s.bounds[s.queue.first()].met
	picks := s.picked[met:min(len(s.picked), int(met)+tilePicks)]
	var at [tileRows]int // in the queue
	rows := 0
	for i := range min(tileRows, len(s.queue)) {
		if s.bounds[s.queue[i].position()].met == met {
			at[rows] = i
			rows++
		}
	}
	s.meet(at[:rows], picks)
	for i := rows - 1; i >= 0; i-- { // from below, so that each finds a heap under it
		s.queue.sink(at[i])
	}
}

// meet lowers the bounds of the entries at, in the queue, to what picks leave of them.
func (s *search) meet(at []int, picks []pick) {
	var rows [tileRows][]float32
	for i, a := range at {
		rows[i] = s.row(s.candidates[s.queue[a].position()])
	}
	var nearest [tileRows]float32
	if len(picks) == 1 {
		sweep(s.row(picks[0].row), func(i int) []float32 { return rows[i] }, nearest[:len(at)])
	} else {
		s.tile(rows[:len(at)], picks, &nearest)
	}
	for i, a := range at {
		position := s.queue[a].position()
		b := &s.bounds[position]
		b.similarity = max(b.similarity, nearest[i])
		b.met += int32(len(picks))
		s.queue[a] = entryOf(b.score(), position)
	}
}

// tile sets nearest to every row's largest similarity to 2…tilePicks picks; to
// three of them by meeting one twice.
func (s *search) tile(rows [][]float32, picks []pick, nearest *[tileRows]float32) {
	var columns [tilePicks][]float32
	for i := range columns {
		columns[i] = s.row(picks[min(i, len(picks)-1)].row)
	}
	for i, row := range rows {
		d := dot4(row, &columns)
		nearest[i] = max(d[0], d[1], d[2], d[3])
	}
}
