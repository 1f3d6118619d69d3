package prune

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/winnow-video/winnow/infer/tensor"
)

// pooled is tokens [T,P,D] pooled by the rule.
func pooled(t *testing.T, o Options, tokens tensor.Dense[float32]) (*Selection, tensor.Dense[float32]) {
	t.Helper()
	o.Method, o.Scope = "pool", ScopeFrame
	c, err := NewClip(tokens)
	if err != nil {
		t.Fatal(err)
	}
	s := selected(t, o, c, nil)
	kept, err := Gather(tokens, s)
	if err != nil {
		t.Fatal(err)
	}
	return s, kept
}

// 2 frames of a leading token and a grid of 4×4, down to 2×2: the means of its quarters.
func TestPoolByHand(t *testing.T) {
	t.Parallel()
	tokens := tensor.New[float32](2, 17, 1)
	for i := range tokens.Data {
		tokens.Data[i] = float32(i%17) + 100*float32(i/17) // cell + 100·frame
	}
	s, kept := pooled(t, Options{Keep: 0.3, Grid: Grid{4, 4, 1}}, tokens) // 5 of 17
	want := []float32{0, 3.5, 5.5, 11.5, 13.5, 100, 103.5, 105.5, 111.5, 113.5}
	if diff := cmp.Diff(want, kept.Data); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]int{0, 1, 3, 9, 11, 17, 18, 20, 26, 28}, s.Rows()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]Source{{20, 0.25}, {21, 0.25}, {24, 0.25}, {25, 0.25}}, s.Kept[7].Sources); diff != "" {
		t.Error(diff)
	}
}

// Against adaptive average pooling cell by cell in double precision; every token has a part in it.
func TestPoolEqualsPlain(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(31, 31))
	for range 200 {
		g := Grid{1 + rng.IntN(9), 1 + rng.IntN(9), rng.IntN(3)}
		T, P, D := 1+rng.IntN(3), g.Leading+g.Rows*g.Columns, 1+rng.IntN(4)
		tokens, err := tensor.From(gaussian(rng, T*P, D), T, P, D)
		if err != nil {
			t.Fatal(err)
		}
		keep := 1 - rng.Float64()
		s, kept := pooled(t, Options{Keep: keep, Grid: g}, tokens)
		checkWellFormed(t, s)
		small := g.coarser(max(1, budget(P, keep)-g.Leading))
		if most := max(budget(P, keep), g.Leading+1); len(s.Kept) > T*most || keep == 1 && len(s.Kept) != T*P {
			t.Fatalf("%v at %g: %d tokens of %d frames", g, keep, len(s.Kept), T)
		}
		var want []float64
		for f := range T {
			want = append(want, plainPool(tokens, f, g, small)...)
		}
		for i, x := range kept.Data {
			if len(want) != len(kept.Data) || math.Abs(float64(x)-want[i]) > 1e-5 {
				t.Fatalf("%v to %v: %v, want %v", g, small, kept.Data, want)
			}
		}
	}
}

func plainPool(tokens tensor.Dense[float32], frame int, g, small Grid) (out []float64) {
	d := tokens.Shape[2]
	at := func(cell, j int) float64 { return float64(tokens.Row(frame)[cell*d+j]) }
	for cell := range g.Leading {
		for j := range d {
			out = append(out, at(cell, j))
		}
	}
	window := func(i, n, k int) (from, to int) {
		return int(math.Floor(float64(i*n) / float64(k))), int(math.Ceil(float64((i+1)*n) / float64(k)))
	}
	for y := range small.Rows {
		top, bottom := window(y, g.Rows, small.Rows)
		for x := range small.Columns {
			left, right := window(x, g.Columns, small.Columns)
			for j := range d {
				sum := 0.0
				for r := top; r < bottom; r++ {
					for c := left; c < right; c++ {
						sum += at(g.Leading+r*g.Columns+c, j)
					}
				}
				out = append(out, sum/float64((bottom-top)*(right-left)))
			}
		}
	}
	return out
}

func TestCoarser(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		grid       Grid
		cells      int
		rows, cols int
	}{
		{Grid{12, 12, 0}, 144, 12, 12}, {Grid{12, 12, 0}, 36, 6, 6}, {Grid{12, 12, 0}, 22, 4, 5}, {Grid{12, 12, 0}, 14, 3, 4},
		{Grid{12, 12, 0}, 29, 5, 5}, {Grid{24, 24, 1}, 86, 9, 9}, {Grid{12, 12, 0}, 1, 1, 1}, {Grid{9, 16, 0}, 22, 3, 7},
		{Grid{16, 9, 0}, 22, 7, 3}, {Grid{27, 3, 0}, 12, 12, 1}, {Grid{1, 10, 0}, 4, 1, 4},
	} {
		want := Grid{c.rows, c.cols, c.grid.Leading}
		if got := c.grid.coarser(c.cells); got != want {
			t.Errorf("%v in %d cells: %v, want %v", c.grid, c.cells, got, want)
		}
	}
}

func TestPoolRefusesAnotherGrid(t *testing.T) {
	t.Parallel()
	c := clipOf(t, make([]float32, 12), 1, 12, 1)
	for want, g := range map[string]Grid{
		"prune: grid: a frame's 12 tokens are no square: name rows and columns": {},
		"prune: grid: 3x5 does not make a frame's 12 tokens":                    {Rows: 3, Columns: 5},
		"prune: grid: 3x4+1 does not make a frame's 12 tokens":                  {Rows: 3, Columns: 4, Leading: 1},
		"prune: grid: 4294967296x4294967296+12 does not make a frame's 12":      {Rows: 1 << 32, Columns: 1 << 32, Leading: 12},
	} {
		_, err := policyOf(t, Options{Method: "pool", Keep: 0.5, Scope: ScopeFrame, Grid: g}).Select(c, nil)
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v: %v, want %s", g, err, want)
		}
	}
}

func TestGridReadsWhatItPrints(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Grid{"12x12": {12, 12, 0}, "24x24+1": {24, 24, 1}, "1x7": {1, 7, 0}} {
		var got Grid
		if err := got.UnmarshalText([]byte(text)); err != nil || got != want || got.String() != text {
			t.Errorf("%s reads as %v (%v)", text, got, err)
		}
	}
	for _, text := range []string{"", "12", "12x", "x12", "12x12+", "12x12x12", "12x-12", "0x12", "0x0", "12x12+-1", "12 x 12"} {
		got := Grid{1, 2, 3}
		if err := got.UnmarshalText([]byte(text)); err == nil || got != (Grid{1, 2, 3}) {
			t.Errorf("%q reads as %v", text, got)
		}
	}
}

// Options are part of artifacts' keys: those of methods without a grid stay what they are.
func TestOnGridChangesPoolAlone(t *testing.T) {
	t.Parallel()
	for _, method := range Methods() {
		o := Default()
		o.Method = method
		text, err := json.Marshal(o.OnGrid(Grid{12, 12, 1}))
		if err != nil {
			t.Fatal(err)
		}
		want := `{"Method":"` + method + `","Keep":0.15,"Alpha":0.5,"Tau":0,"Scope":"frame","Seed":0}`
		if method == "pool" {
			want = strings.TrimSuffix(want, "}") + `,"Grid":"12x12+1"}`
		}
		if string(text) != want {
			t.Errorf("%s, want %s", text, want)
		}
	}
}

// OUT says what merged tokens are made of.
func TestSelectFileOfMergedTokens(t *testing.T) {
	t.Parallel()
	in := &tensor.File{}
	tokens := tensor.New[tensor.Float16](1, 4, 1)
	tensor.Narrow(tokens.Data, []float32{1, 2, 3, 6})
	tensor.Put(in, "visual_tokens", tokens)
	out, _, err := SelectFile(in, Options{Method: "pool", Keep: 0.5, Scope: ScopeFrame, Grid: Grid{2, 2, 0}})
	if err != nil {
		t.Fatal(err)
	}
	want := &tensor.File{Metadata: map[string]string{"method": "pool", "keep": "0.5", "alpha": "0", "tau": "0", "scope": "frame", "seed": "0", "grid": "2x2"}}
	kept := tensor.New[tensor.Float16](2, 1)
	tensor.Narrow(kept.Data, []float32{2, 4})
	tensor.Put(want, "kept_tokens", kept)
	tensor.Put(want, "keep_idx", tensor.Dense[int64]{Shape: tensor.Shape{2}, Data: []int64{0, 1}})
	tensor.Put(want, "frame", tensor.Dense[int32]{Shape: tensor.Shape{2}, Data: []int32{0, 0}})
	tensor.Put(want, "cell", tensor.Dense[int32]{Shape: tensor.Shape{2}, Data: []int32{0, 1}})
	tensor.Put(want, "source_counts", tensor.Dense[int32]{Shape: tensor.Shape{2}, Data: []int32{2, 2}})
	tensor.Put(want, "source_rows", tensor.Dense[int64]{Shape: tensor.Shape{4}, Data: []int64{0, 2, 1, 3}})
	tensor.Put(want, "weights", tensor.Dense[float32]{Shape: tensor.Shape{4}, Data: []float32{0.5, 0.5, 0.5, 0.5}})
	if diff := cmp.Diff(want, out); diff != "" {
		t.Error(diff)
	}
}
