package prune

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sort"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The rules that look at whole clips, word by word: everything from scratch, in
// double precision where that flips nothing.

// plainRule is the rows kept of a clip, ascending.
type plainRule func(c *Clip, keep float64) []int

func plainDivPrune(c *Clip, keep float64) []int {
	g, k := groupsOf(c, ScopeClip, nil)[0], budget(c.T*c.P, keep)
	if k == g.n {
		return ascending(k)
	}
	return sorted(plainGreedy(g, ascending(g.n), plainLoneliest(g), func(int) float32 { return 0 }, k))
}

func plainEVS(c *Clip, keep float64) []int {
	n := c.T * c.P
	scores := make([]float32, n)
	for i := range scores {
		scores[i] = 255
		if i >= c.P {
			scores[i] = 1 - dot(c.row(i), c.row(i-c.P))
		}
	}
	return plainTop(scores, ascending(n), max(c.P, int(float64(n)*(1-(1-keep)))))
}

func plainDyCoke(c *Clip, keep float64) []int {
	total := max(c.P, int(math.RoundToEven(float64(c.T*c.P)*keep)))
	w := 2
	for ; ; w *= 2 {
		whole := 0
		for t := 0; t < c.T; t += w {
			whole += c.P
		}
		if whole <= total {
			break
		}
	}
	shares := dycokeShares(c.T, c.P, w, total)
	var kept []int
	for t := range c.T {
		earlier := t
		for bit := 1; bit < w && earlier == t; bit *= 2 {
			earlier &^= bit
		}
		if t%w == 0 {
			earlier = t
		}
		scores := make([]float32, c.P)
		for p := range scores {
			scores[p] = 1 - dot(c.row(t*c.P+p), c.row(earlier*c.P+p))
		}
		for _, p := range plainTop(scores, ascending(c.P), shares[t]) {
			kept = append(kept, t*c.P+p)
		}
	}
	return kept
}

func plainFrames(c *Clip, keep float64) []int {
	var kept []int
	f := max(1, int(math.RoundToEven(float64(c.T)*keep)))
	for i := range f {
		frame := int(math.Floor((float64(i) + 0.5) * float64(c.T) / float64(f)))
		for p := range c.P {
			kept = append(kept, frame*c.P+p)
		}
	}
	return kept
}

func plainTop(scores []float32, rows []int, k int) []int {
	sort.SliceStable(rows, func(a, b int) bool { return scores[rows[a]] > scores[rows[b]] })
	return sorted(rows[:k])
}

func sorted(rows []int) []int {
	slices.Sort(rows)
	return rows
}

func TestWholeClipRulesEqualPlain(t *testing.T) {
	t.Parallel()
	for method, plain := range map[string]plainRule{
		"divprune": plainDivPrune, "evs": plainEVS, "dycoke": plainDyCoke, "frames": plainFrames,
	} {
		for kind, draw := range kinds {
			t.Run(method+"/"+kind, func(t *testing.T) {
				t.Parallel()
				rng := rand.New(rand.NewPCG(11, uint64(len(kind))))
				for range 60 {
					T, P, D := 1+rng.IntN(9), 1+rng.IntN(8), 1+rng.IntN(12)
					c := clipOf(t, draw(rng, T*P, D), T, P, D)
					o := Options{Method: method, Keep: 1 - rng.Float64(), Scope: ScopeFrame}
					if diff := cmp.Diff(plain(c, o.Keep), selected(t, o, c, nil).Rows()); diff != "" {
						t.Fatalf("[%d,%d,%d] at %g: %s", T, P, D, o.Keep, diff)
					}
				}
			})
		}
	}
}

// vLLM's own counts, rounding and all.
func TestEVSBudget(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		t, p int
		keep float64
		want int
	}{
		{4, 2, 1, 8}, {2, 4, 0.1, 4}, {2, 5, 0.75, 7}, {1, 16, 0.01, 16},
		{8, 144, 0.15, 172},  // 1152·(1−0.85) = 172.8
		{10, 100, 0.1, 100},  // frame 0
		{100, 10, 0.1, 99},   // 1 − 0.9 is less than 0.1
		{10, 10, 0.29, 29},   // 100·0.29 is less than 29, 100·(1−0.71) is not
		{32, 196, 0.2, 1254}, // 6272·(1−0.8) = 1254.4
	} {
		if got := evsBudget(c.t, c.p, c.keep); got != c.want {
			t.Errorf("[%d,%d] at %g: %d, want %d", c.t, c.p, c.keep, got, c.want)
		}
	}
}

// Three frames of four tokens: frame 1 changes in cell 2, frame 2 goes back there and turns cell 0 around.
func turning(t *testing.T) *Clip {
	return clipOf(t, []float32{
		1, 0, 1, 0, 1, 0, 1, 0,
		1, 0, 1, 0, 0, 1, 1, 0,
		-1, 0, 1, 0, 1, 0, 1, 0,
	}, 3, 4, 2)
}

func TestEVSKeepsWhatChanged(t *testing.T) {
	t.Parallel()
	s := selected(t, Options{Method: "evs", Keep: 0.6, Scope: ScopeFrame}, turning(t), nil) // ⌊7.2⌋
	var scores []float32
	for _, k := range s.Kept {
		scores = append(scores, k.Score)
	}
	if diff := cmp.Diff([]int{0, 1, 2, 3, 6, 8, 10}, s.Rows()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]float32{0, 0, 0, 0, 1, 2, 1}, scores); diff != "" {
		t.Error(diff)
	}
}

func TestDyCokeWindows(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		t, p   int
		keep   float64
		w      int
		shares []int
	}{
		{4, 10, 0.65, 2, []int{10, 3, 10, 3}},   // the published pairs, 0.3 kept
		{4, 10, 0.475, 4, []int{10, 3, 3, 3}},   // its windows of four
		{4, 10, 0.3, 4, []int{10, 0, 1, 1}},     // 12 of 40
		{5, 10, 0.5, 4, []int{10, 1, 2, 2, 10}}, // three whole frames of five would be too many
		{9, 10, 0.15, 16, []int{10, 0, 1, 0, 1, 0, 1, 0, 1}},
		{3, 10, 0.1, 4, []int{10, 0, 0}}, // a frame at least
		{1, 10, 0.5, 2, []int{10}},
		{4, 10, 1, 2, []int{10, 10, 10, 10}},
	} {
		total := max(c.p, budget(c.t*c.p, c.keep))
		w := dycokeWindow(c.t, c.p, total)
		if diff := cmp.Diff(c.shares, dycokeShares(c.t, c.p, w, total)); diff != "" || w != c.w {
			t.Errorf("[%d,%d] at %g: windows of %d, want %d: %s", c.t, c.p, c.keep, w, c.w, diff)
		}
	}
}

// In a window of four, frame 3 is compared with frame 2, as published.
func TestDyCokeComparesWithinTheWindow(t *testing.T) {
	t.Parallel()
	c := clipOf(t, []float32{
		1, 0, 1, 0, 1, 0,
		1, 0, 0, 1, 1, 0, // cell 1 differs from frame 0
		1, 0, 1, 0, -1, 0, // cell 2 differs from frame 0
		0, 1, 1, 0, -1, 0, // cell 0 differs from frame 2, cell 2 does not
	}, 4, 3, 2)
	s := selected(t, Options{Method: "dycoke", Keep: 0.49, Scope: ScopeFrame}, c, nil) // 6 of 12
	if diff := cmp.Diff([]int{0, 1, 2, 6, 7, 8}, s.Rows()); diff != "" {
		t.Errorf("pairs: %s", diff)
	}
	s = selected(t, Options{Method: "dycoke", Keep: 0.42, Scope: ScopeFrame}, c, nil) // 5 of 12
	if diff := cmp.Diff([]int{0, 1, 2, 8, 9}, s.Rows()); diff != "" {
		t.Errorf("a window of four: %s", diff)
	}
}

func TestFramesAreEvenlySpaced(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		t    int
		keep float64
		want []int
	}{{8, 0.15, []int{4}}, {8, 0.25, []int{2, 6}}, {8, 0.5, []int{1, 3, 5, 7}}, {5, 0.5, []int{1, 3}}, {2, 0.01, []int{1}}, {3, 1, []int{0, 1, 2}}} {
		s := selected(t, Options{Method: "frames", Keep: c.keep, Scope: ScopeFrame}, clipOf(t, make([]float32, 2*c.t), c.t, 2, 1), nil)
		var got []int
		for _, k := range s.Kept {
			got = append(got, k.Frame)
		}
		if diff := cmp.Diff(c.want, slices.Compact(got)); diff != "" || len(got) != 2*len(c.want) {
			t.Errorf("%d frames at %g: %d tokens, %s", c.t, c.keep, len(got), diff)
		}
	}
}

// plainVidCom2 computes every score and budget in double precision.
func plainVidCom2(c *Clip, keep float64) (scores, wants []float64) {
	distance := func(row, from, to int) (square float64) {
		for j := range c.D {
			centre := 0.0
			for i := from; i < to; i++ {
				centre += float64(c.row(i)[j]) / float64(to-from)
			}
			square += math.Pow(float64(c.row(row)[j])-centre, 2)
		}
		return square
	}
	kernel := func(square float64) (sum float64) {
		for _, alpha := range []float64{1. / 8, 1. / 4, 1. / 2, 1, 2} {
			sum += math.Exp(-square / (2 * alpha))
		}
		return sum
	}
	softmaxed, all := make([]float64, c.T), 0.0
	for t := range c.T {
		u := 0.0
		for i := t * c.P; i < (t+1)*c.P; i++ {
			video := kernel(distance(i, 0, c.T*c.P))
			scores = append(scores, -video-kernel(distance(i, t*c.P, (t+1)*c.P)))
			u -= video / float64(c.P)
		}
		softmaxed[t] = math.Exp(u / 0.01)
		all += softmaxed[t]
	}
	for _, s := range softmaxed {
		wants = append(wants, float64(c.P)*min(1, keep*(1+s/all-1/float64(c.T))))
	}
	return scores, wants
}

func TestVidCom2EqualsPlain(t *testing.T) {
	t.Parallel()
	for kind, draw := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(12, uint64(len(kind))))
			for range 40 {
				T, P, D := 1+rng.IntN(6), 1+rng.IntN(9), 1+rng.IntN(12)
				c := clipOf(t, draw(rng, T*P, D), T, P, D)
				keep := 1 - rng.Float64()
				scores, wants := plainVidCom2(c, keep)
				s := selected(t, Options{Method: "vidcom2", Keep: keep, Scope: ScopeFrame}, c, nil)
				if err := checkVidCom2(s, scores, wants); err != nil {
					t.Fatalf("[%d,%d,%d] at %g: %v", T, P, D, keep, err)
				}
			}
		})
	}
}

// checkVidCom2 wants scores near the plain ones, the best tokens of each frame,
// and counts as near to the wants as their sum allows.
func checkVidCom2(s *Selection, scores, wants []float64) error {
	counts, least := make([]int, s.T), make([]float64, s.T)
	kept := map[int]bool{}
	for t := range least {
		least[t] = math.Inf(1)
	}
	for i, row := range s.Rows() {
		k := s.Kept[i]
		if math.Abs(float64(k.Score)-scores[row]) > 1e-5 {
			return fmt.Errorf("row %d scores %g, want %g", row, k.Score, scores[row])
		}
		kept[row] = true
		counts[k.Frame]++
		least[k.Frame] = min(least[k.Frame], scores[row])
	}
	off := 0.0
	for t := range counts {
		for row := t * s.P; row < (t+1)*s.P; row++ {
			if !kept[row] && scores[row] > least[t]+1e-5 {
				return fmt.Errorf("row %d was left out at %g, the least kept of its frame has %g", row, scores[row], least[t])
			}
		}
		off += wants[t]
	}
	// What every frame is off by at most: its own rounding, and an even share of what clamping moved.
	slack := 1.01 + math.Abs(float64(len(s.Kept))-off)
	for t, n := range counts {
		if n < 1 || n > s.P || math.Abs(float64(n)-wants[t]) > slack {
			return fmt.Errorf("%d tokens in all, frames keep %v, want about %v", len(s.Kept), counts, wants)
		}
	}
	return nil
}

func TestVidCom2SpendsOnTheUnusualFrame(t *testing.T) {
	t.Parallel()
	const T, P, D, odd = 6, 20, 8, 4
	rng := rand.New(rand.NewPCG(13, 13))
	data := rows(T*P, D, func(i, j int) float32 {
		if i/P == odd {
			return float32(rng.NormFloat64())
		}
		return float32(j) + 0.1*float32(rng.NormFloat64())
	})
	s := selected(t, Options{Method: "vidcom2", Keep: 0.3, Scope: ScopeFrame}, clipOf(t, data, T, P, D), nil)
	counts := make([]int, T)
	for _, k := range s.Kept {
		counts[k.Frame]++
	}
	if diff := cmp.Diff([]int{5, 5, 5, 5, 11, 5}, counts); diff != "" { // 0.3·(1+1−1/6)·20 = 11
		t.Error(diff)
	}
}

func TestApportion(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		wants []float64
		most  int
		total int
		want  []int
	}{
		{[]float64{2.5, 2.5, 2.5, 2.5}, 9, 10, []int{3, 3, 2, 2}},
		{[]float64{1.2, 3.9, 2.9}, 9, 8, []int{1, 4, 3}},
		{[]float64{0.1, 0.1, 5.8}, 9, 6, []int{1, 1, 4}}, // at least one each
		{[]float64{3, 3, 4}, 4, 12, []int{4, 4, 4}},      // no more than there are
		{[]float64{4, 1.5, 1}, 4, 9, []int{4, 3, 2}},     // in turns
		{[]float64{0, 0}, 4, 2, []int{1, 1}},
	} {
		if diff := cmp.Diff(c.want, apportion(c.wants, c.most, c.total)); diff != "" {
			t.Errorf("%v to %d: %s", c.wants, c.total, diff)
		}
	}
}
