// Package heatmap draws what pruning saw in pictures: in go frames with the
// relevance of their cells and the cells that were kept, out comes one picture.
//
// Commands that have a selection call it; it knows cells and cosines, and
// neither tensors nor methods.
package heatmap

import (
	"fmt"
	"image"
	"image/color"
	"math"

	"golang.org/x/image/draw"
	"golang.org/x/image/font"
	"golang.org/x/image/font/basicfont"
	"golang.org/x/image/math/fixed"
)

// Frame is a picture and what pruning made of it. Cells are numbered row-major
// on the grid.
type Frame struct {
	Picture   image.Image
	Title     string    // stands below it; ASCII
	Relevance []float32 // of every cell, a cosine; nil where the method does not look at the question
	Kept      [][]int   // one list a kept token: the cells that it is made of
}

// The sheet's measures, in pixels.
const (
	gap        = 6
	lineHeight = 18
	frameEdge  = 432 // the longer one, about
	minWidth   = 444 // the legend's
)

// Draw lays the frames out in rows, near to a square, above a legend. grid is
// in cells. Every picture is cut to the grid's shape around its middle, as
// encoders that resize by shortest_crop see it.
func Draw(frames []Frame, grid image.Point) *image.RGBA {
	l := layOut(len(frames), grid)
	sheet := image.NewRGBA(l.bounds)
	draw.Draw(sheet, sheet.Bounds(), image.NewUniform(color.Gray{Y: 24}), image.Point{}, draw.Src)
	scale := scaleOf(frames)
	for i, f := range frames {
		at := l.frame(i)
		canvas := sheet.SubImage(at).(*image.RGBA)
		draw.CatmullRom.Scale(canvas, at, f.Picture, middle(f.Picture.Bounds(), grid), draw.Over, nil)
		l.shade(canvas, f, scale)
		for _, token := range f.Kept {
			l.outline(canvas, token)
		}
		write(sheet, image.Pt(at.Min.X, at.Max.Y+lineHeight-5), f.Title)
	}
	scale.legend(sheet, image.Pt(gap, l.bounds.Max.Y-gap-2*lineHeight))
	return sheet
}

// middle is the largest part of bounds of the grid's shape, around its middle.
func middle(bounds image.Rectangle, grid image.Point) image.Rectangle {
	w, h := bounds.Dx(), bounds.Dy()
	if w*grid.Y > h*grid.X {
		w = max(1, h*grid.X/grid.Y)
	} else {
		h = max(1, w*grid.Y/grid.X)
	}
	corner := bounds.Min.Add(image.Pt((bounds.Dx()-w)/2, (bounds.Dy()-h)/2))
	return image.Rectangle{corner, corner.Add(image.Pt(w, h))}
}

// layout is where everything stands.
type layout struct {
	grid    image.Point // cells
	cell    int         // edge of a cell, pixels
	columns int
	bounds  image.Rectangle
}

func layOut(frames int, grid image.Point) layout {
	l := layout{grid: grid, cell: max(8, frameEdge/max(grid.X, grid.Y))}
	l.columns = int(math.Ceil(math.Sqrt(float64(frames))))
	rows := (frames + l.columns - 1) / l.columns
	size := grid.Mul(l.cell)
	width := gap + l.columns*(size.X+gap)
	height := gap + rows*(size.Y+lineHeight+gap) + 2*lineHeight + gap
	l.bounds = image.Rect(0, 0, max(minWidth, width), height)
	return l
}

// frame is where frame i stands, without its title.
func (l layout) frame(i int) image.Rectangle {
	size := l.grid.Mul(l.cell)
	corner := image.Pt(gap+i%l.columns*(size.X+gap), gap+i/l.columns*(size.Y+lineHeight+gap))
	return image.Rectangle{corner, corner.Add(size)}
}

// place is a cell's column and row.
func (l layout) place(cell int) image.Point { return image.Pt(cell%l.grid.X, cell/l.grid.X) }

// box is where the cell at place stands on the canvas of its frame.
func (l layout) box(canvas *image.RGBA, place image.Point) image.Rectangle {
	corner := canvas.Bounds().Min.Add(place.Mul(l.cell))
	return image.Rectangle{corner, corner.Add(image.Pt(l.cell, l.cell))}
}

// A cell is as much its picture as its colour. Of a pruned one less is left, of
// its colour more than of its picture, so that it can still be read.
const (
	colourShare   = 0.5
	dimmedPicture = 0.3
	dimmedColour  = 0.7
)

// shade dims the cells that no kept token is made of, and lays relevance over all.
func (l layout) shade(canvas *image.RGBA, f Frame, s scale) {
	kept := make([]bool, l.grid.X*l.grid.Y)
	for _, token := range f.Kept {
		for _, cell := range token {
			kept[cell] = true
		}
	}
	for cell, isKept := range kept {
		picture, tint, share := 1.0, color.RGBA{}, 0.0
		if f.Relevance != nil {
			picture, tint, share = 1-colourShare, s.colour(f.Relevance[cell]), colourShare
		}
		if !isKept {
			picture, share = picture*dimmedPicture, share*dimmedColour
		}
		mix(canvas, l.box(canvas, l.place(cell)), picture, tint, share)
	}
}

// mix makes every pixel of box light times itself and share times tint.
func mix(canvas *image.RGBA, box image.Rectangle, light float64, tint color.RGBA, share float64) {
	for y := box.Min.Y; y < box.Max.Y; y++ {
		for x := box.Min.X; x < box.Max.X; x++ {
			px := canvas.Pix[canvas.PixOffset(x, y):]
			for i, t := range [3]uint8{tint.R, tint.G, tint.B} {
				px[i] = uint8(light*float64(px[i]) + share*float64(t) + 0.5)
			}
		}
	}
}

// outline draws a line around the cells of one token, inside them: white, with
// black within, so that it shows on any ground.
func (l layout) outline(canvas *image.RGBA, token []int) {
	of := make(map[image.Point]bool, len(token))
	for _, cell := range token {
		of[l.place(cell)] = true
	}
	for place := range of {
		l.border(canvas, place, of, 3, color.Black)
	}
	for place := range of {
		l.border(canvas, place, of, 2, color.White)
	}
}

// border draws the edges and corners of a cell beyond which its token ends.
func (l layout) border(canvas *image.RGBA, place image.Point, of map[image.Point]bool, reach int, c color.Color) {
	for dy := -1; dy <= 1; dy++ {
		for dx := -1; dx <= 1; dx++ {
			if !of[place.Add(image.Pt(dx, dy))] {
				draw.Draw(canvas, side(l.box(canvas, place), dx, dy, reach), image.NewUniform(c), image.Point{}, draw.Src)
			}
		}
	}
}

// side is the strip of box, reach wide, towards (dx, dy).
func side(box image.Rectangle, dx, dy, reach int) image.Rectangle {
	box.Min.X, box.Max.X = ends(box.Min.X, box.Max.X, dx, reach)
	box.Min.Y, box.Max.Y = ends(box.Min.Y, box.Max.Y, dy, reach)
	return box
}

func ends(from, to, towards, reach int) (int, int) {
	switch towards {
	case -1:
		return from, from + reach
	case 1:
		return to - reach, to
	}
	return from, to
}

func write(sheet *image.RGBA, at image.Point, text string) {
	d := font.Drawer{Dst: sheet, Src: image.White, Face: basicfont.Face7x13, Dot: fixed.P(at.X, at.Y)}
	d.DrawString(text)
}

// scale is the range of relevance that the colours stand for; empty where no
// frame has any.
type scale struct {
	min, max float32
	empty    bool
}

func scaleOf(frames []Frame) scale {
	s := scale{min: math.MaxFloat32, max: -math.MaxFloat32, empty: true}
	for _, f := range frames {
		for _, r := range f.Relevance {
			s = scale{min: min(s.min, r), max: max(s.max, r)}
		}
	}
	return s
}

// colour of a relevance; where all are equal, the lowest.
func (s scale) colour(r float32) color.RGBA {
	if s.max == s.min {
		return viridis(0)
	}
	return viridis(float64((r - s.min) / (s.max - s.min)))
}

const (
	barWidth  = 120
	barHeight = 11
)

// legend says in two lines what the colours and lines mean.
func (s scale) legend(sheet *image.RGBA, at image.Point) {
	says := "outlined: kept; dark: pruned"
	if s.empty {
		says += "; the method ignores the question"
	} else {
		low := fmt.Sprintf("relevance (cosine) %.3f ", s.min)
		write(sheet, at.Add(image.Pt(0, lineHeight-5)), low)
		bar := at.Add(image.Pt(font.MeasureString(basicfont.Face7x13, low).Ceil(), 3))
		for x := range barWidth {
			line := image.Rect(x, 0, x+1, barHeight).Add(bar)
			draw.Draw(sheet, line, image.NewUniform(viridis(float64(x)/(barWidth-1))), image.Point{}, draw.Src)
		}
		write(sheet, at.Add(image.Pt(bar.X-at.X+barWidth+7, lineHeight-5)), fmt.Sprintf("%.3f", s.max))
	}
	write(sheet, at.Add(image.Pt(0, 2*lineHeight-5)), says)
}
