package bundle

import (
	"testing"
)

func TestInspect(t *testing.T) {
	t.Parallel()
	dir := writeBundle(t, func(m *Manifest) { m.Context = 110 })
	got, err := Inspect(t.Context(), dir, []int{2, 10}, []float64{1, 0.15}, 80)
	if err != nil {
		t.Fatal(err)
	}
	type row struct {
		frames, visual, kept int
		fits                 bool
	}
	want := []row{{2, 8, 8, true}, {2, 8, 2, true}, {10, 40, 40, false}, {10, 40, 10, true}}
	if len(got.Costs) != len(want) {
		t.Fatalf("%d costs, want %d", len(got.Costs), len(want))
	}
	for i, c := range got.Costs {
		if (row{c.Frames, c.Visual, c.Kept, c.Fits}) != want[i] {
			t.Errorf("cost %d: %+v, want %+v", i, c, want[i])
		}
	}
	if full := got.Costs[0]; full.Prefill != full.Unpruned || full.BreakEven == nil {
		t.Errorf("all tokens kept: %+v, want the unpruned cost and a break-even", full)
	}
}

func TestKeptOfRoundsHalfToEven(t *testing.T) {
	t.Parallel()
	tests := []struct {
		p    int
		keep float64
		want int
	}{{144, 0.15, 22}, {10, 0.25, 2}, {10, 0.35, 4}, {144, 0.001, 1}, {144, 1, 144}}
	for _, test := range tests {
		if got := keptOf(test.p, test.keep); got != test.want {
			t.Errorf("%v of %d: %d, want %d", test.keep, test.p, got, test.want)
		}
	}
}

func TestParametersOfVicuna(t *testing.T) {
	t.Parallel()
	if got := float64(vicuna().parameters()) / 1e9; got < 7.0 || got > 7.1 {
		t.Errorf("LLaVA-1.5-7B has %.2f G parameters, want 7.06", got)
	}
}
