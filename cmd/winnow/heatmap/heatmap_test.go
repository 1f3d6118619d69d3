package heatmap

import (
	"image"
	"image/color"
	"image/draw"
	"testing"
)

// plain is a picture of one colour.
func plain(w, h int, c color.Color) *image.RGBA {
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	draw.Draw(m, m.Bounds(), image.NewUniform(c), image.Point{}, draw.Src)
	return m
}

var (
	white = color.RGBA{255, 255, 255, 255}
	black = color.RGBA{0, 0, 0, 255}
	grey  = color.RGBA{100, 100, 100, 255}
)

// at is the colour of a pixel of a cell, counted from its corner, in frame 0 of a grid.
func at(sheet *image.RGBA, grid image.Point, cell, x, y int) color.RGBA {
	l := layOut(1, grid)
	return sheet.RGBAAt(gap+cell%grid.X*l.cell+x, gap+cell/grid.X*l.cell+y)
}

// centre is the colour in the middle of a cell.
func centre(sheet *image.RGBA, grid image.Point, cell int) color.RGBA {
	half := layOut(1, grid).cell / 2
	return at(sheet, grid, cell, half, half)
}

func TestKeptCellsAreOutlinedAndPrunedOnesDark(t *testing.T) {
	t.Parallel()
	grid := image.Pt(3, 3)
	sheet := Draw([]Frame{{Picture: plain(30, 30, grey), Kept: [][]int{{4}}}}, grid)
	if got := centre(sheet, grid, 4); got != grey {
		t.Errorf("a kept cell is %v, want the picture's %v", got, grey)
	}
	if got := centre(sheet, grid, 0); got != (color.RGBA{30, 30, 30, 255}) {
		t.Errorf("a pruned cell is %v, want three tenths of %v", got, grey)
	}
	edge := layOut(1, grid).cell
	for _, p := range []image.Point{{0, 0}, {edge / 2, 1}, {1, edge / 2}, {edge - 1, edge - 1}} {
		if got := at(sheet, grid, 4, p.X, p.Y); got != white {
			t.Errorf("pixel %v of a kept cell is %v, want a white line", p, got)
		}
	}
	if got := at(sheet, grid, 4, edge/2, 2); got != black {
		t.Errorf("within the line is %v, want black", got)
	}
	if got := at(sheet, grid, 3, edge-1, edge/2); got == white {
		t.Error("the line is drawn outside the kept cell")
	}
}

func TestAMergedTokenHasOneOutline(t *testing.T) {
	t.Parallel()
	grid := image.Pt(3, 3)
	sheet := Draw([]Frame{{Picture: plain(30, 30, grey), Kept: [][]int{{0, 1, 4}}}}, grid)
	edge := layOut(1, grid).cell
	if got := at(sheet, grid, 0, edge-1, edge/2); got != grey {
		t.Errorf("between cells of one token is %v, want no line", got)
	}
	if got := at(sheet, grid, 1, 0, edge-1); got != white {
		t.Errorf("the inner corner is %v, want the line to go round it", got)
	}
	if got := at(sheet, grid, 0, edge/2, edge-1); got != white {
		t.Errorf("below cell 0 is %v, want a line", got)
	}
}

func TestRelevanceIsColouredOverTheWholeRange(t *testing.T) {
	t.Parallel()
	grid := image.Pt(2, 2)
	sheet := Draw([]Frame{{
		Picture: plain(20, 20, black), Kept: [][]int{{0}, {3}}, Relevance: []float32{-0.1, 0.2, 0.1, 0.5},
	}}, grid)
	for cell, want := range map[int]color.RGBA{0: {34, 1, 42, 255}, 3: {127, 116, 19, 255}} { // half of viridis' ends
		if got := centre(sheet, grid, cell); got != want {
			t.Errorf("kept cell %d is %v, want %v", cell, got, want)
		}
	}
	half, pruned := viridis(0.5), centre(sheet, grid, 1)
	if want := uint8(float64(half.G)*colourShare*dimmedColour + 0.5); pruned.G != want {
		t.Errorf("a pruned cell has green %d, want %d: its colour, dimmed", pruned.G, want)
	}
}

func TestEqualRelevanceIsDrawn(t *testing.T) {
	t.Parallel()
	grid := image.Pt(1, 1)
	sheet := Draw([]Frame{{Picture: plain(5, 5, black), Kept: [][]int{{0}}, Relevance: []float32{0.3}}}, grid)
	if got := centre(sheet, grid, 0); got != (color.RGBA{34, 1, 42, 255}) {
		t.Errorf("the only relevance is %v, want the lowest colour", got)
	}
}

func TestPicturesAreCutToTheGridsShape(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		picture image.Rectangle
		grid    image.Point
		want    image.Rectangle
	}{
		{image.Rect(0, 0, 96, 96), image.Pt(12, 12), image.Rect(0, 0, 96, 96)},
		{image.Rect(0, 0, 320, 240), image.Pt(12, 12), image.Rect(40, 0, 280, 240)},
		{image.Rect(10, 10, 110, 310), image.Pt(4, 4), image.Rect(10, 110, 110, 210)},
		{image.Rect(0, 0, 100, 100), image.Pt(8, 4), image.Rect(0, 25, 100, 75)},
		{image.Rect(0, 0, 1000, 1), image.Pt(1, 4), image.Rect(499, 0, 500, 1)},
	} {
		if got := middle(c.picture, c.grid); got != c.want {
			t.Errorf("middle of %v for a grid of %v: %v, want %v", c.picture, c.grid, got, c.want)
		}
	}
}

func TestFramesShareOneScale(t *testing.T) {
	t.Parallel()
	frames := []Frame{{Relevance: []float32{0.1, 0.2}}, {}, {Relevance: []float32{-0.4, 0}}}
	if got := scaleOf(frames); got != (scale{min: -0.4, max: 0.2}) {
		t.Errorf("scale: %+v", got)
	}
	if got := scaleOf(frames[1:2]); !got.empty {
		t.Errorf("scale of no relevance: %+v", got)
	}
}

// Nothing stands on anything else, and everything on the sheet.
func TestLayout(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 2, 8, 9} {
		l := layOut(n, image.Pt(27, 13))
		for i := range n {
			if !l.frame(i).In(l.bounds) {
				t.Errorf("frame %d of %d is at %v, outside %v", i, n, l.frame(i), l.bounds)
			}
			if i > 0 && l.frame(i).Overlaps(l.frame(i-1)) {
				t.Errorf("frames %d and %d of %d overlap", i-1, i, n)
			}
		}
	}
}
