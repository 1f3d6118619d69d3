package workers

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/winnow-video/winnow/infer/bundle"
	"github.com/winnow-video/winnow/infer/tensor"
	"github.com/winnow-video/winnow/prune"
	"github.com/winnow-video/winnow/workflows/job"
)

// Two frames of three tower tokens, pooled to two each: of what is kept, the
// artifact holds the tower's tokens, and says how they make the kept ones.
func TestKeptWherePoolingComesAfter(t *testing.T) {
	t.Parallel()
	c := &clip{file: &tensor.File{Tensors: map[string]tensor.Tensor{}}, tokens: tensor.New[tensor.Float16](2, 3, 1)}
	for i := range c.tokens.Data {
		c.tokens.Data[i] = tensor.ToFloat16(float32(4 * i))
	}
	pool := &bundle.PoolAfter{From: 3, Src: [][4]int{{0, 1, 0, 0}, {1, 2, 0, 0}}, Weight: [][4]float32{{0.5, 0.5}, {0.25, 0.75}}}
	if err := c.poolBy(pool); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(tensor.Shape{2, 2, 1}, c.tokens.Shape); diff != "" {
		t.Fatalf("what is selected from (-want +got):\n%s", diff)
	}
	s := &prune.Selection{T: 2, P: 2, Kept: []prune.Token{{Frame: 1, Cell: 0, Sources: []prune.Source{{Row: 2, Weight: 1}}}}}
	kept, err := keptFile(c, s, job.Pruning{Method: "rediprune", Keep: 0.25})
	if err != nil {
		t.Fatal(err)
	}
	tokens, err := tensor.Floats(kept, "tokens")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]float32{12, 16}, tokens.Data); diff != "" {
		t.Errorf("tower tokens (-want +got):\n%s", diff)
	}
	mixture, err := bundle.GetMixture(kept, 2, 1)
	want := &bundle.Mixture{Of: []int32{0, 0}, Row: []int32{0, 1}, Weight: []float32{0.5, 0.5}}
	if diff := cmp.Diff(want, mixture); err != nil || diff != "" {
		t.Errorf("%v, mixture (-want +got):\n%s", err, diff)
	}
}
