package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/winnow-video/winnow/cmd/winnow/heatmap"
	"github.com/winnow-video/winnow/prune"
)

// A token merged over frames shows in each, and is counted where it stands.
func TestFramesOfMergedTokens(t *testing.T) {
	t.Parallel()
	got := framesOf(&prune.Selection{T: 2, P: 4, Kept: []prune.Token{
		{Frame: 0, Cell: 1, Sources: []prune.Source{{Row: 1, Weight: 0.5}, {Row: 2, Weight: 0.25}, {Row: 5, Weight: 0.25}}},
		{Frame: 1, Cell: 3, Sources: []prune.Source{{Row: 7, Weight: 1}}},
		{Frame: 1, Cell: 0, Sources: []prune.Source{{Row: 4, Weight: 1}}},
	}, Relevance: []float32{0, 1, 2, 3, 4, 5, 6, 7}}, prune.Grid{Rows: 2, Columns: 2})
	want := []heatmap.Frame{
		{Title: "1 of 4 kept", Relevance: []float32{0, 1, 2, 3}, Kept: [][]int{{1, 2}}},
		{Title: "2 of 4 kept", Relevance: []float32{4, 5, 6, 7}, Kept: [][]int{{1}, {3}, {0}}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("frames (-want +got):\n%s", diff)
	}
}

// Leading tokens have no place on the grid, but count.
func TestFramesOfLeadingTokens(t *testing.T) {
	t.Parallel()
	got := framesOf(&prune.Selection{T: 1, P: 3, Kept: []prune.Token{
		{Cell: 0, Sources: []prune.Source{{Row: 0, Weight: 1}}},
		{Cell: 2, Sources: []prune.Source{{Row: 2, Weight: 1}}},
	}, Relevance: []float32{0, 1, 2}}, prune.Grid{Rows: 1, Columns: 2, Leading: 1})
	want := []heatmap.Frame{{Title: "2 of 3 kept", Relevance: []float32{1, 2}, Kept: [][]int{{1}}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("frames (-want +got):\n%s", diff)
	}
}
