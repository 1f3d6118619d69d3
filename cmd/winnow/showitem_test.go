package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/winnow-video/winnow/infer/tensor"
	"github.com/winnow-video/winnow/prune"
)

// keptTokens is a kept artifact's places and, if any, the relevance of all tokens.
func keptTokens(frame, cell []int32, relevance []float32) *tensor.File {
	f := &tensor.File{}
	tensor.Put(f, "frame", tensor.Dense[int32]{Shape: tensor.Shape{len(frame)}, Data: frame})
	tensor.Put(f, "cell", tensor.Dense[int32]{Shape: tensor.Shape{len(cell)}, Data: cell})
	if relevance != nil {
		tensor.Put(f, "relevance_all", tensor.Dense[float32]{Shape: tensor.Shape{len(relevance)}, Data: relevance})
	}
	return f
}

func TestKeptSelection(t *testing.T) {
	t.Parallel()
	got, err := keptSelection(keptTokens([]int32{0, 1}, []int32{3, 1}, []float32{0, 1, 2, 3, 4, 5, 6, 7}), 2, 8)
	if err != nil {
		t.Fatal(err)
	}
	want := &prune.Selection{T: 2, P: 4, Kept: []prune.Token{
		{Frame: 0, Cell: 3, Sources: []prune.Source{{Row: 3, Weight: 1}}},
		{Frame: 1, Cell: 1, Sources: []prune.Source{{Row: 5, Weight: 1}}},
	}, Relevance: []float32{0, 1, 2, 3, 4, 5, 6, 7}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("selection (-want +got):\n%s", diff)
	}
}

func TestKeptSelectionRefuses(t *testing.T) {
	t.Parallel()
	for name, file := range map[string]*tensor.File{
		"a third frame":        keptTokens([]int32{2}, []int32{0}, nil),
		"a frame below 0":      keptTokens([]int32{-1}, []int32{0}, nil),
		"a fifth cell":         keptTokens([]int32{0}, []int32{4}, nil),
		"a cell too few":       keptTokens([]int32{0, 1}, []int32{0}, nil),
		"too little relevance": keptTokens([]int32{0}, []int32{0}, []float32{1}),
		"no places":            {},
	} {
		if got, err := keptSelection(file, 2, 8); err == nil {
			t.Errorf("%s: %+v, want an error", name, got)
		}
	}
}
