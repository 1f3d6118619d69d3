package prune

import (
	"errors"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/winnow-video/winnow/infer/tensor"
)

func policyOf(t testing.TB, o Options) Policy {
	t.Helper()
	p, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func selected(t testing.TB, o Options, c *Clip, query []float32) *Selection {
	t.Helper()
	s, err := policyOf(t, o).Select(c, query)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestNewNamesTheField(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*Options){
		"method: \"\"":       func(o *Options) { o.Method = "" },
		"method: \"ReDi\"":   func(o *Options) { o.Method = "ReDi" },
		"keep: 0":            func(o *Options) { o.Keep = 0 },
		"keep: -0.1":         func(o *Options) { o.Keep = -0.1 },
		"keep: 1.01":         func(o *Options) { o.Keep = 1.01 },
		"keep: NaN":          func(o *Options) { o.Keep = math.NaN() },
		"alpha: NaN":         func(o *Options) { o.Alpha = math.NaN() },
		"alpha: -Inf":        func(o *Options) { o.Alpha = math.Inf(-1) },
		"alpha: 1e+39":       func(o *Options) { o.Alpha = 1e39 },
		"tau: +Inf":          func(o *Options) { o.Tau = math.Inf(1) },
		"scope: \"\"":        func(o *Options) { o.Scope = "" },
		"scope: \"segment\"": func(o *Options) { o.Scope = "segment" },
		"grid: 0x4":          func(o *Options) { o.Grid = Grid{Columns: 4} },
		"grid: 4x4+-1":       func(o *Options) { o.Grid = Grid{4, 4, -1} },
	} {
		o := Default()
		change(&o)
		if _, err := New(o); err == nil || !strings.HasPrefix(err.Error(), "prune: "+want+": want ") {
			t.Errorf("%+v: %v, want %s", o, err, want)
		}
	}
}

// The table of the usual ratios, and the ends.
func TestBudget(t *testing.T) {
	t.Parallel()
	ratios := []float64{0.10, 0.15, 0.20, 0.25}
	for n, want := range map[int][]int{
		144: {14, 22, 29, 36},
		169: {17, 25, 34, 42},
		196: {20, 29, 39, 49},
		576: {58, 86, 115, 144},
		729: {73, 109, 146, 182},
	} {
		for i, r := range ratios {
			if got := budget(n, r); got != want[i] {
				t.Errorf("%d tokens at %g: %d, want %d", n, r, got, want[i])
			}
		}
	}
	for _, c := range []struct {
		n    int
		keep float64
		want int
	}{{1, 0.15, 1}, {50, 0.01, 1}, {30, 0.05, 2}, {50, 0.05, 2}, {20, 0.99, 20}, {7, 1, 7}} {
		if got := budget(c.n, c.keep); got != c.want {
			t.Errorf("%d tokens at %g: %d, want %d", c.n, c.keep, got, c.want)
		}
	}
}

func TestFit(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		query []float32
		d     int
		want  []float32
	}{
		{"as it is", []float32{1, 2, 3}, 3, []float32{1, 2, 3}},
		{"groups", []float32{1, 3, 5, 7}, 2, []float32{2, 6}},
		{"windows that overlap", []float32{1, 2, 3, 4, 5}, 2, []float32{2, 4}},
		{"windows 0-2, 1-4, 3-5", []float32{0, 3, 6, 9, 12}, 3, []float32{1.5, 6, 10.5}},
		{"tiled and cut", []float32{1, 2, 3}, 7, []float32{1, 2, 3, 1, 2, 3, 1}},
	} {
		if diff := cmp.Diff(c.want, fit(c.query, c.d)); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}

func TestTiesGoToTheFirstCandidate(t *testing.T) {
	t.Parallel()
	equal := rows(6, 3, func(_, j int) float32 { return float32(j + 1) })
	for _, c := range []struct {
		name string
		o    Options
		data []float32
		want []int
	}{
		{"all equal", Options{Method: "rediprune", Keep: 0.5, Alpha: 0.5}, equal, []int{0, 1, 2}},
		{"all zero", Options{Method: "rediprune", Keep: 0.5, Alpha: 0.5}, make([]float32, 18), []int{0, 1, 2}},
		{"most relevant candidates", Options{Method: "rediprune", Keep: 0.2, Tau: 0.1}, equal, []int{0}},
		{"relevant", Options{Method: "relevant", Keep: 0.5}, equal, []int{0, 1, 2}},
		{"diverse", Options{Method: "diverse", Keep: 0.5}, equal, []int{0, 1, 2}},
		{"divprune", Options{Method: "divprune", Keep: 0.5}, equal, []int{0, 1, 2}},
		{"cdpruner", Options{Method: "cdpruner", Keep: 0.5}, equal, []int{0, 1, 2}},
		{"vidcom2", Options{Method: "vidcom2", Keep: 0.5}, equal, []int{0, 1, 2}},
	} {
		c.o.Scope = ScopeFrame
		got := selected(t, c.o, clipOf(t, c.data, 1, 6, 3), []float32{1, 1, 1}).Rows()
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}

// keeps is how many of t frames of p tokens every method keeps on a grid of 4 rows, p = 4·6.
func keeps(method string, scope Scope, t, p int, keep float64) int {
	switch method {
	case "none":
		return t * p
	case "divprune":
		return budget(t*p, keep)
	case "evs":
		return evsBudget(t, p, keep)
	case "dycoke":
		return max(p, budget(t*p, keep))
	case "vidcom2":
		return max(t, budget(t*p, keep))
	case "frames":
		return budget(t, keep) * p
	case "pool":
		small := Grid{Rows: 4, Columns: 6}.coarser(budget(p, keep))
		return t * small.Rows * small.Columns
	}
	return map[Scope]int{ScopeFrame: t * budget(p, keep), ScopeClip: budget(t*p, keep)}[scope]
}

// What every method owes: its budget, ascending rows in range, sources that add up to one token.
func TestSelectionsAreWellFormed(t *testing.T) {
	t.Parallel()
	const T, P, D = 5, 24, 16
	rng := rand.New(rand.NewPCG(1, 1))
	query := gaussian(rng, 1, 48)
	for kind, draw := range kinds {
		c := clipOf(t, draw(rng, T*P, D), T, P, D)
		for _, method := range Methods() {
			for _, o := range []Options{
				{Keep: 0.2, Scope: ScopeFrame}, {Keep: 0.2, Scope: ScopeClip}, {Keep: 0.01, Scope: ScopeFrame},
				{Keep: 0.55, Scope: ScopeFrame}, {Keep: 0.9, Scope: ScopeClip}, {Keep: 1, Scope: ScopeFrame},
			} {
				o.Method, o.Alpha, o.Grid = method, 0.5, Grid{Rows: 4, Columns: 6}
				s := selected(t, o, c, query)
				checkWellFormed(t, s)
				if want := keeps(method, o.Scope, T, P, o.Keep); len(s.Kept) != want {
					t.Errorf("%s, %s, %s, %g: kept %d, want %d", kind, method, o.Scope, o.Keep, len(s.Kept), want)
				}
				if got := policyOf(t, o).Keeps(T, P); got != len(s.Kept) {
					t.Errorf("%s, %s, %g: said to keep %d, kept %d", method, o.Scope, o.Keep, got, len(s.Kept))
				}
				if policyOf(t, o).Even() && !even(s) {
					t.Errorf("%s, %s, %g: said to keep as much of every frame: %v", method, o.Scope, o.Keep, s.Rows())
				}
				if (s.Relevance != nil) != policyOf(t, o).QueryDependent() {
					t.Errorf("%s: relevance of %d, query-dependent: %t", method, len(s.Relevance), policyOf(t, o).QueryDependent())
				}
				if !reflect.DeepEqual(s, selected(t, o, c, query)) {
					t.Errorf("%s, %s, %s, %g: not the same again", kind, method, o.Scope, o.Keep)
				}
			}
		}
	}
}

// even says whether every frame of s keeps as many tokens.
func even(s *Selection) bool {
	kept := make([]int, s.T)
	for _, k := range s.Kept {
		kept[k.Frame]++
	}
	return slices.Min(kept) == slices.Max(kept)
}

func checkWellFormed(t *testing.T, s *Selection) {
	t.Helper()
	rows := s.Rows()
	if !slices.IsSorted(rows) || len(slices.Compact(slices.Clone(rows))) != len(rows) {
		t.Errorf("rows are not ascending and distinct: %v", rows)
	}
	for i, k := range s.Kept {
		if k.Frame < 0 || k.Frame >= s.T || k.Cell < 0 || k.Cell >= s.P {
			t.Errorf("token %d: frame %d, cell %d of [%d,%d]", i, k.Frame, k.Cell, s.T, s.P)
		}
		weight, own := float32(0), false
		for j, source := range k.Sources {
			weight += source.Weight
			own = own || source.Row == rows[i]
			if source.Row/s.P != k.Frame || j > 0 && source.Row <= k.Sources[j-1].Row {
				t.Errorf("token %d of frame %d: sources %v", i, k.Frame, k.Sources)
			}
		}
		if math.Abs(float64(weight)-1) > 1e-6 || !own {
			t.Errorf("token %d, row %d: sources %v", i, rows[i], k.Sources)
		}
	}
}

func TestQueryIndependentPoliciesTakeNoQuery(t *testing.T) {
	t.Parallel()
	c := clipOf(t, gaussian(rand.New(rand.NewPCG(5, 5)), 20, 8), 2, 10, 8)
	for _, method := range Methods() {
		o := Default()
		o.Method, o.Grid = method, Grid{Rows: 2, Columns: 5}
		_, err := policyOf(t, o).Select(c, nil)
		if dependent := policyOf(t, o).QueryDependent(); (err != nil) != dependent {
			t.Errorf("%s: query-dependent %t, without a query: %v", method, dependent, err)
		}
	}
}

// A selection takes some memory at once, and none token by token.
func TestAllocationsDoNotGrowWithTokens(t *testing.T) {
	rng := rand.New(rand.NewPCG(10, 10))
	query := gaussian(rng, 1, 16)
	for _, method := range Methods() {
		o := Default()
		o.Method = method
		policy := policyOf(t, o)
		var allocations [2]float64
		for i, side := range []int{8, 32} {
			c := clipOf(t, gaussian(rng, 2*side*side, 16), 2, side*side, 16)
			allocations[i] = testing.AllocsPerRun(20, func() {
				if _, err := policy.Select(c, query); err != nil {
					t.Fatal(err)
				}
			})
		}
		if few, many := allocations[0], allocations[1]; many > few+10 {
			t.Errorf("%s: %g allocations for 64 tokens a frame, %g for 1024", method, few, many)
		}
	}
}

// With one budget for the clip, frames alike give theirs to the one that is not.
func TestScopeClipSpendsWhereItMatters(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(6, 6))
	const T, P, D, busy = 4, 8, 16, 2
	still := gaussian(rng, 1, D)
	data := rows(T*P, D, func(i, j int) float32 {
		if i/P == busy {
			return float32(rng.NormFloat64())
		}
		return still[j]
	})
	s := selected(t, Options{Method: "rediprune", Keep: 0.25, Alpha: 0.1, Scope: ScopeClip}, clipOf(t, data, T, P, D), gaussian(rng, 1, D))
	perFrame := make([]int, T)
	for _, k := range s.Kept {
		perFrame[k.Frame]++
	}
	if perFrame[busy] < 7 {
		t.Errorf("kept per frame %v, want nearly all in frame %d", perFrame, busy)
	}
}

func TestHalfPrecisionSelectsAsItsValuesDo(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(7, 7))
	const T, P, D = 3, 30, 20
	half := tensor.New[tensor.Float16](T, P, D)
	tensor.Narrow(half.Data, gaussian(rng, T*P, D))
	single := tensor.New[float32](T, P, D)
	tensor.Widen(single.Data, half.Data)
	fromHalf, err := NewClip(half)
	if err != nil {
		t.Fatal(err)
	}
	query := gaussian(rng, 1, D)
	want := selected(t, Default(), clipOf(t, single.Data, T, P, D), query)
	if diff := cmp.Diff(want, selected(t, Default(), fromHalf, query)); diff != "" {
		t.Error(diff)
	}
}

// Frames made ready as they are come to are what they are in a clip that is ready,
// in new memory and in that of another clip.
func TestOpenedClipSelectsAsAReadyOne(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(12, 12))
	opened := &Clip{}
	for _, shape := range [][]int{{7, 30, 20}, {1, 30, 20}, {3, 16, 40}} {
		tokens := tensor.New[tensor.Float16](shape...)
		tensor.Narrow(tokens.Data, gaussian(rng, shape[0]*shape[1], shape[2]))
		ready, err := NewClip(tokens)
		if err != nil {
			t.Fatal(err)
		}
		query := gaussian(rng, 1, shape[2])
		for _, method := range Methods() {
			for _, scope := range []Scope{ScopeFrame, ScopeClip} {
				o := Default()
				o.Method, o.Scope, o.Grid = method, scope, Grid{Rows: 2, Columns: shape[1] / 2}
				if err := Open(opened, tokens); err != nil {
					t.Fatal(err)
				}
				want := selected(t, o, ready, query)
				for range 2 {
					if diff := cmp.Diff(want, selected(t, o, opened, query)); diff != "" {
						t.Errorf("%v, %s, %s: %s", shape, method, scope, diff)
					}
				}
			}
		}
	}
}

// Whatever the method, an opened clip refuses what NewClip does, and no less.
func TestOpenedClipRefusesTokens(t *testing.T) {
	t.Parallel()
	tokens := tensor.New[float32](5, 4, 2)
	tokens.Row(3)[5], tokens.Row(4)[0] = float32(math.NaN()), float32(math.Inf(1))
	for _, method := range Methods() {
		for _, query := range [][]float32{{1, 2}, {}} {
			c, o := &Clip{}, Default()
			o.Method = method
			if err := Open(c, tokens); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				_, err := policyOf(t, o).Select(c, query)
				if !errors.Is(err, ErrNotFinite) || err.Error() != "prune: token of frame 3, cell 2 holds a NaN or an infinity" {
					t.Errorf("%s: %v", method, err)
				}
			}
		}
	}
	if err := Open(&Clip{}, tensor.New[float32](6, 4)); err == nil || !strings.Contains(err.Error(), "want [T,P,D]") {
		t.Errorf("two dimensions: %v", err)
	}
}

// A row's length does not count, down to 1e-12; below, it is what is left of one.
func TestRowsAreOfUnitLength(t *testing.T) {
	t.Parallel()
	c := clipOf(t, []float32{3, 4, 3e-11, 4e-11, 3e-13, 4e-13, 3e37, 4e37, 0, 0}, 1, 5, 2)
	want := []float32{0.6, 0.8, 0.6, 0.8, 0.3, 0.4, 0.6, 0.8, 0, 0}
	for i, x := range c.whole.data {
		if math.Abs(float64(x-want[i])) > 1e-6 {
			t.Errorf("row %d: %v, want %v", i/2, c.row(i/2), want[i/2*2:i/2*2+2])
		}
	}
}

func TestNewClipRefuses(t *testing.T) {
	t.Parallel()
	for _, x := range []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1))} {
		tokens := tensor.New[float32](3, 4, 2)
		tokens.Row(1)[5], tokens.Row(2)[0] = x, x
		if _, err := NewClip(tokens); err == nil || err.Error() != "prune: token of frame 1, cell 2 holds a NaN or an infinity" {
			t.Errorf("%g: %v", x, err)
		}
		half := tensor.New[tensor.Float16](3, 4, 2)
		tensor.Narrow(half.Data, tokens.Data)
		if _, err := NewClip(half); err == nil || !strings.Contains(err.Error(), "frame 1, cell 2") {
			t.Errorf("%g in half precision: %v", x, err)
		}
	}
	for _, shape := range [][]int{{6, 4}, {0, 6, 4}, {6, 0, 4}, {6, 4, 0}} {
		if _, err := NewClip(tensor.New[float32](shape...)); err == nil || !strings.Contains(err.Error(), "want [T,P,D]") {
			t.Errorf("shape %v: %v", shape, err)
		}
	}
	if _, err := NewClip(tensor.Dense[float32]{Shape: tensor.Shape{1, 2, 2}, Data: make([]float32, 3)}); err == nil {
		t.Error("a shape that disagrees with its data passed")
	}
}

// A clip made in the memory of another is the same, larger or smaller; after an error it holds nothing.
func TestRefill(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(9, 9))
	c := &Clip{}
	for _, shape := range [][]int{{2, 6, 4}, {1, 3, 5}, {4, 9, 8}} {
		data := gaussian(rng, shape[0]*shape[1], shape[2])
		tokens, err := tensor.From(data, shape...)
		if err != nil {
			t.Fatal(err)
		}
		if err := Refill(c, tokens); err != nil {
			t.Fatal(err)
		}
		want, query := clipOf(t, data, shape...), gaussian(rng, 1, shape[2])
		if diff := cmp.Diff(selected(t, Default(), want, query), selected(t, Default(), c, query)); diff != "" {
			t.Errorf("%v: %s", shape, diff)
		}
		if diff := cmp.Diff(want.whole.data, c.whole.data); diff != "" {
			t.Errorf("%v: %s", shape, diff)
		}
	}
	if err := Refill(c, tensor.New[float32](6, 4)); err == nil || c.T != 0 {
		t.Errorf("%v, and %d frames are left", err, c.T)
	}
}

func TestSelectRefusesABadQuery(t *testing.T) {
	t.Parallel()
	c := clipOf(t, []float32{1, 2, 3, 4}, 1, 2, 2)
	for _, query := range [][]float32{{}, {1, float32(math.NaN())}, {float32(math.Inf(1)), 1, 2}} {
		if _, err := policyOf(t, Default()).Select(c, query); err == nil || !strings.Contains(err.Error(), "query") {
			t.Errorf("%v: %v", query, err)
		}
	}
}

func TestRandom(t *testing.T) {
	t.Parallel()
	const T, P, draws = 40, 10, 500
	c := clipOf(t, make([]float32, T*P), T, P, 1)
	o := Options{Method: "random", Keep: 0.3, Scope: ScopeFrame, Seed: 7}
	first := selected(t, o, c, nil)
	if diff := cmp.Diff(first, selected(t, o, c, nil)); diff != "" {
		t.Errorf("the same seed differs: %s", diff)
	}
	counts := make([]int, P)
	for o.Seed = range draws {
		s := selected(t, o, c, nil)
		if slices.Equal(s.Rows(), first.Rows()) != (o.Seed == 7) {
			t.Errorf("seed %d and seed 7 make the same sample", o.Seed)
		}
		for _, k := range s.Kept {
			counts[k.Cell]++
		}
	}
	// Every cell is kept in 6000 of 20000 frames, give or take 65; six of these would be a miracle.
	for cell, n := range counts {
		if math.Abs(float64(n)-0.3*T*draws) > 6*65 {
			t.Errorf("cell %d was kept %d times of %d", cell, n, T*draws)
		}
	}
}

func TestUniformIsEven(t *testing.T) {
	t.Parallel()
	for n := 1; n < 60; n++ {
		for k := 1; k <= n; k++ {
			rows := rowsOf(uniform{}.pick(group{n: n}, k))
			for i := 1; i < k; i++ {
				if gap := rows[i] - rows[i-1]; gap < n/k || gap > n/k+1 {
					t.Fatalf("%d of %d: %v", k, n, rows)
				}
			}
			if ends := rows[0] - (n - 1 - rows[k-1]); ends < -1 || ends > 1 {
				t.Fatalf("%d of %d is off centre: %v", k, n, rows)
			}
		}
	}
}

// The race detector watches this one.
func TestSelectIsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(8, 8))
	tokens, err := tensor.From(gaussian(rng, 200, 16), 10, 20, 16)
	if err != nil {
		t.Fatal(err)
	}
	ready, err := NewClip(tokens)
	if err != nil {
		t.Fatal(err)
	}
	query := gaussian(rng, 1, 16)
	for _, method := range Methods() {
		o := Default()
		o.Method, o.Grid = method, Grid{Rows: 4, Columns: 5}
		policy, want := policyOf(t, o), selected(t, o, ready, query)
		opened := &Clip{}
		if err := Open(opened, tokens); err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		for _, c := range []*Clip{ready, opened, ready, opened, ready, opened} {
			all.Go(func() {
				got, err := policy.Select(c, query)
				if err != nil || !cmp.Equal(want, got) {
					t.Errorf("%s: another selection: %v", method, err)
				}
			})
		}
		all.Wait()
	}
}

func TestGather(t *testing.T) {
	t.Parallel()
	tokens := tensor.New[tensor.Float16](2, 2, 2)
	tensor.Narrow(tokens.Data, []float32{0, 1, 2, 3, 4, 5, 6, 7})
	tokens.Data[2] = 0x7e01 // a pick is copied bit by bit, whatever it holds
	s := &Selection{T: 2, P: 2, Kept: []Token{
		{Frame: 0, Cell: 1, Sources: []Source{{1, 1}}},
		{Frame: 1, Cell: 0, Sources: []Source{{2, 0.5}, {3, 0.25}}},
	}}
	got, err := Gather(tokens, s)
	if err != nil {
		t.Fatal(err)
	}
	want := tensor.Dense[tensor.Float16]{Shape: tensor.Shape{2, 2}, Data: []tensor.Float16{0x7e01, tensor.ToFloat16(3), tensor.ToFloat16(3.5), tensor.ToFloat16(4.25)}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if _, err := Gather(tensor.New[tensor.Float16](2, 3, 2), s); err == nil || !strings.Contains(err.Error(), "the selection is of [2,2,…]") {
		t.Errorf("another clip: %v", err)
	}
}

func TestQueryEdges(t *testing.T) {
	t.Parallel()
	rows, err := tensor.From([]float32{1, 2, 3, 4, float32(math.NaN()), 0}, 3, 2)
	if err != nil {
		t.Fatal(err)
	}
	words := &table{rows: rows}
	released, err := QueryReleased(words, []int{0, 1, 0, 0})
	if diff := cmp.Diff([]float32{3, 4}, released); diff != "" || err != nil {
		t.Errorf("released: %v %s", err, diff)
	}
	question, err := QueryQuestion(words, []int{0, 1})
	if err != nil {
		t.Fatal(err)
	}
	prompt, err := QueryPrompt(words, []int{1, 1, -7, 0, 1}, -7)
	if diff := cmp.Diff(question, prompt); diff != "" || err != nil {
		t.Errorf("the prompt's tail is the question: %v %s", err, diff)
	}
	for name, query := range map[string]func() ([]float32, error){
		"token 1 of 2: token id 9 is outside": func() ([]float32, error) { return QueryQuestion(words, []int{0, 9}) },
		"token id 2 holds a NaN":              func() ([]float32, error) { return QueryQuestion(words, []int{0, 2}) },
		"the prompt has 1 tokens":             func() ([]float32, error) { return QueryReleased(words, []int{1}) },
		"is 2 wide, want 3":                   func() ([]float32, error) { return QueryQuestion(narrow{words}, []int{0}) },
	} {
		if _, err := query(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%v, want %q", err, name)
		}
	}
}

// narrow is a table whose rows are not as wide as it says.
type narrow struct{ Table }

func (narrow) Width() int { return 3 }

func TestSelectFile(t *testing.T) {
	t.Parallel()
	in := &tensor.File{}
	half := tensor.New[tensor.Float16](2, 3, 2)
	tensor.Narrow(half.Data, []float32{1, 0, 0, 1, 1, 1, -1, 0, 0, -1, 2, 1})
	tensor.Put(in, "visual_tokens", half)
	tensor.Put(in, "text_query", tensor.Dense[float32]{Shape: tensor.Shape{2}, Data: []float32{1, 0}})
	out, _, err := SelectFile(in, Default())
	if err != nil {
		t.Fatal(err)
	}
	want := &tensor.File{Metadata: map[string]string{"method": "rediprune", "keep": "0.15", "alpha": "0.5", "tau": "0", "scope": "frame", "seed": "0"}}
	tensor.Put(want, "keep_idx", tensor.Dense[int64]{Shape: tensor.Shape{2}, Data: []int64{0, 5}})
	tensor.Put(want, "frame", tensor.Dense[int32]{Shape: tensor.Shape{2}, Data: []int32{0, 1}})
	tensor.Put(want, "cell", tensor.Dense[int32]{Shape: tensor.Shape{2}, Data: []int32{0, 2}})
	kept := tensor.New[tensor.Float16](2, 2)
	tensor.Narrow(kept.Data, []float32{1, 0, 2, 1})
	tensor.Put(want, "kept_tokens", kept)
	if diff := cmp.Diff(want, out); diff != "" {
		t.Error(diff)
	}
}

func TestSelectFileRefuses(t *testing.T) {
	t.Parallel()
	tokens, query := tensor.New[float32](4, 2), tensor.New[float32](2)
	for _, c := range []struct {
		want string
		fill func(*tensor.File)
	}{
		{`tensor "text_query" is not in the file, which has visual_tokens`, func(f *tensor.File) { tensor.Put(f, "visual_tokens", tokens) }},
		{`tensor "visual_tokens" is not in the file, which has text_query`, func(f *tensor.File) { tensor.Put(f, "text_query", query) }},
		{`tensor "visual_tokens" is U8, want F16 or F32`, func(f *tensor.File) {
			tensor.Put(f, "visual_tokens", tensor.New[uint8](4, 2))
			tensor.Put(f, "text_query", query)
		}},
		{`tensor "text_query" has shape [1 2], want [E]`, func(f *tensor.File) {
			tensor.Put(f, "visual_tokens", tokens)
			tensor.Put(f, "text_query", tensor.New[float32](1, 2))
		}},
		{"want [T,P,D]", func(f *tensor.File) {
			tensor.Put(f, "visual_tokens", tensor.New[float32](8))
			tensor.Put(f, "text_query", query)
		}},
	} {
		in := &tensor.File{}
		c.fill(in)
		if out, _, err := SelectFile(in, Default()); out != nil || err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
}
