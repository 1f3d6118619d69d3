package bundle

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/winnow-video/winnow/infer/tensor"
)

// pairs pools three rows to two, neighbours by half each.
func pairs() *PoolAfter {
	return &PoolAfter{
		From: 3, Src: [][4]int{{0, 1, 0, 0}, {1, 2, 0, 0}}, Weight: [][4]float32{{0.5, 0.5}, {0.25, 0.75}},
	}
}

// towerOf is a tower's tokens of frames of pairs, one value each: 0, 4, 8, …
func towerOf(frames int) tensor.Dense[tensor.Float16] {
	tower := tensor.New[tensor.Float16](frames, 3, 1)
	for i := range tower.Data {
		tower.Data[i] = tensor.ToFloat16(float32(4 * i))
	}
	return tower
}

func floats(d tensor.Dense[tensor.Float16]) []float32 {
	out := make([]float32, len(d.Data))
	tensor.Widen(out, d.Data)
	return out
}

func TestPool(t *testing.T) {
	t.Parallel()
	pooled, err := pairs().Pool(towerOf(2))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(tensor.Shape{2, 2, 1}, pooled.Shape); diff != "" {
		t.Errorf("shape (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]float32{2, 7, 14, 19}, floats(pooled)); diff != "" {
		t.Errorf("pooled (-want +got):\n%s", diff)
	}
}

func TestProjected(t *testing.T) {
	t.Parallel()
	m := &Manifest{}
	plain := m.Projected(2, 4)
	m.PoolAfter = pairs()
	if few, all := m.Projected(2, 1), m.Projected(2, 4); plain != 4 || few != 4 || all != 6 {
		t.Errorf("%d without pooling, %d of one row, %d of all: want 4, 4 and 6", plain, few, all)
	}
}

func TestPoolRefusesOtherTokens(t *testing.T) {
	t.Parallel()
	if _, err := pairs().Pool(tensor.New[tensor.Float16](2, 4, 1)); err == nil {
		t.Error("tokens of four rows a frame were pooled as three")
	}
}

// A pick, and a token merged of two in different frames: what they share is read once.
func TestMix(t *testing.T) {
	t.Parallel()
	tokens, m, err := pairs().Mix(towerOf(2), [][]Source{{{1, 1}}, {{0, 0.5}, {3, 0.5}}})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]float32{0, 4, 8, 16, 20}, floats(tokens)); diff != "" {
		t.Errorf("tower tokens (-want +got):\n%s", diff)
	}
	rows, err := tensor.From(floats(tokens), 5, 1) // a projector that changes nothing
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]float32{7, (2 + 19) / 2.0}, m.Sum(rows, 2).Data); diff != "" {
		t.Errorf("mixed (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]float32{(2 + 19) / 2.0}, m.Only([]int{1}).Sum(rows, 1).Data); diff != "" {
		t.Errorf("the second alone (-want +got):\n%s", diff)
	}
}

func TestMixtureIsStored(t *testing.T) {
	t.Parallel()
	_, m, err := pairs().Mix(towerOf(1), [][]Source{{{0, 1}}, {{1, 1}}})
	if err != nil {
		t.Fatal(err)
	}
	kept := &tensor.File{}
	m.Put(kept)
	got, err := GetMixture(kept, 3, 2)
	if diff := cmp.Diff(m, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if _, err := GetMixture(kept, 2, 2); err == nil {
		t.Error("a row that is not there was accepted")
	}
	for _, gap := range []struct {
		of     []int32
		tokens int
	}{{[]int32{1, 1}, 2}, {[]int32{0, 2}, 3}, {[]int32{0, 1}, 3}} {
		(&Mixture{gap.of, []int32{0, 1}, []float32{1, 1}}).Put(kept)
		if _, err := GetMixture(kept, 3, gap.tokens); err == nil {
			t.Errorf("of %d tokens only %v are made of something, which was accepted", gap.tokens, gap.of)
		}
	}
	m.Put(kept)
	if _, err := GetMixture(kept, 3, 1); err == nil {
		t.Error("a token that is not there was accepted")
	}
	if none, err := GetMixture(&tensor.File{}, 3, 3); none != nil || err != nil {
		t.Errorf("without a mixture: %v, %v", none, err)
	}
}
