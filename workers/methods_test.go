package workers

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/winnow-video/winnow/infer/tensor"
	"github.com/winnow-video/winnow/prune"
	"github.com/winnow-video/winnow/workflows/artifact"
	"github.com/winnow-video/winnow/workflows/job"
)

// Every method is a variant; half of 2 frames of 4 tokens is kept, and none's all.
func TestPruneByEveryMethod(t *testing.T) {
	t.Parallel()
	d := newDesk(t, questions("/x", 1), 500, func(s *job.Spec) {
		for _, method := range prune.Methods() {
			s.Prune = append(s.Prune, job.Pruning{Method: method, Keep: 0.5, Alpha: 0.5})
		}
	})
	in := d.stageInput(t, 1)
	if out, err := call(t, job.StagePrune, d.prune, in); err != nil || len(out.Failed) > 0 {
		t.Fatalf("prune: %+v, %v", out, err)
	}
	w, err := d.workOf(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	got, want := map[string][]int{}, map[string][]int{}
	for _, item := range w.items {
		method := w.spec.Prune[item.Variant].Method
		kept, err := d.readKept(t.Context(), item.kept)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range kept.frames {
			got[method] = append(got[method], f.Kept)
		}
		want[method] = []int{2, 2}
	}
	want["none"], want["frames"] = []int{4, 4}, []int{0, 4}
	want["evs"], want["dycoke"] = []int{4, 0}, []int{4, 0}
	for _, method := range []string{"divprune", "vidcom2"} { // by content
		want[method] = got[method]
		if n := got[method]; len(n) != 2 || n[0]+n[1] != 4 {
			t.Errorf("%s keeps %v, want 4", method, n)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("tokens kept of each frame (-want +got):\n%s", diff)
	}
}

// Pooled tokens are means, on the bundle's grid, which is in their key and in no other's.
func TestPoolIsOfTheBundlesGrid(t *testing.T) {
	t.Parallel()
	d := newDesk(t, questions("/x", 1), 500, func(s *job.Spec) {
		s.Prune = job.Prunings{{Method: "pool", Keep: 0.25}, {Method: "uniform", Keep: 0.25}}
	})
	in := d.stageInput(t, 1)
	if _, err := call(t, job.StagePrune, d.prune, in); err != nil {
		t.Fatal(err)
	}
	w, err := d.workOf(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	kept, tokens := d.tensors(t, w.items[0].kept, "tokens"), d.tensors(t, in.Tokens, "tokens")
	for f := range testT {
		for j := range testD {
			mean := float32(0)
			for p := range testP {
				mean += tokens.Row(f)[p*testD+j] / testP
			}
			if got := kept.Row(f)[j]; got != tensor.ToFloat16(mean).Float32() {
				t.Errorf("frame %d, channel %d: %g, want %g", f, j, got, mean)
			}
		}
	}
	w.bundle.Grid = [2]int{1, 4}
	for variant, changes := range []bool{true, false} {
		key := w.task(w.items[variant].item, w.items[variant].Item).kept
		if (key != w.items[variant].kept) != changes {
			t.Errorf("%s: another grid changes the key: %t", w.spec.Prune[variant].Method, !changes)
		}
	}
}

// tensors reads a tensor of an artifact in single precision.
func (d *desk) tensors(t *testing.T, key artifact.Key, name string) tensor.Dense[float32] {
	t.Helper()
	body, err := d.cfg.Store.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	file, err := tensor.Decode(body)
	if err != nil {
		t.Fatal(err)
	}
	v, err := tensor.Floats(file, name)
	if err != nil {
		t.Fatal(err)
	}
	return v
}
