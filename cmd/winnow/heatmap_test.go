package main

import (
	"image"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/winnow-video/winnow/cmd/winnow/heatmap"
	"github.com/winnow-video/winnow/prune"
)

func TestSquareGrid(t *testing.T) {
	t.Parallel()
	if got, err := squareGrid(729); err != nil || got != image.Pt(27, 27) {
		t.Errorf("729 tokens: %v, %v", got, err)
	}
	for _, n := range []int{2, 143, 257} {
		if got, err := squareGrid(n); err == nil {
			t.Errorf("%d tokens: %v, want an error", n, got)
		}
	}
}

// A token merged over frames shows in each, and is counted where it stands.
func TestFramesOfMergedTokens(t *testing.T) {
	t.Parallel()
	got := framesOf(&prune.Selection{T: 2, P: 4, Kept: []prune.Token{
		{Frame: 0, Cell: 1, Sources: []prune.Source{{Row: 1, Weight: 0.5}, {Row: 2, Weight: 0.25}, {Row: 5, Weight: 0.25}}},
		{Frame: 1, Cell: 3, Sources: []prune.Source{{Row: 7, Weight: 1}}},
		{Frame: 1, Cell: 0, Sources: []prune.Source{{Row: 4, Weight: 1}}},
	}, Relevance: []float32{0, 1, 2, 3, 4, 5, 6, 7}})
	want := []heatmap.Frame{
		{Title: "1 of 4 kept", Relevance: []float32{0, 1, 2, 3}, Kept: [][]int{{1, 2}}},
		{Title: "2 of 4 kept", Relevance: []float32{4, 5, 6, 7}, Kept: [][]int{{1}, {3}, {0}}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("frames (-want +got):\n%s", diff)
	}
}
