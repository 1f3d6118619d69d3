package decode

import (
	"github.com/asticode/go-astiav"

	"github.com/winnow-video/winnow/decode/resize"
)

// matrix is a display matrix, row by row, 16.16 fixed point: a stored pixel
// (x, y) is shown at (x·m[0] + y·m[3], x·m[1] + y·m[4]).
type matrix [9]int32

// streamMatrix is the display matrix of the stream; ok is false where it has none.
func (in *input) streamMatrix() (matrix, bool) {
	d, ok := in.stream.CodecParameters().SideData().DisplayMatrix().Get()
	if !ok {
		return matrix{}, false
	}
	var m matrix
	for i, v := range d {
		m[i] = int32(v)
	}
	return m, true
}

// turn is a rotation by a multiple of 90 degrees, with or without a mirror:
// a stored pixel (x, y) is shown at (xx·x + yx·y, xy·x + yy·y), shifted to begin at 0.
type turn struct{ xx, yx, xy, yy int }

func upright() turn { return turn{xx: 1, yy: 1} }

// turn of m; one that is no multiple of 90 degrees leaves frames as they are.
func (m matrix) turn() turn {
	t := turn{xx: sign(m[0]), yx: sign(m[3]), xy: sign(m[1]), yy: sign(m[4])}
	if straight := t.xx*t.yy != 0 && t.yx == 0 && t.xy == 0; straight {
		return t
	}
	if across := t.yx*t.xy != 0 && t.xx == 0 && t.yy == 0; across {
		return t
	}
	return upright()
}

func sign(v int32) int {
	switch {
	case v > 0:
		return 1
	case v < 0:
		return -1
	}
	return 0
}

// degrees clockwise that stored frames are turned to be shown, mirror aside.
func (t turn) degrees() int {
	switch {
	case t.xx < 0 && t.yy < 0:
		return 180
	case t.xy > 0:
		return 90
	case t.xy < 0:
		return 270
	}
	return 0
}

func (t turn) apply(src resize.Image) resize.Image {
	if t == upright() {
		return src
	}
	w, h := t.size(src.W, src.H)
	out := resize.New(w, h)
	left := max(0, -t.xx*(src.W-1)) + max(0, -t.yx*(src.H-1))
	top := max(0, -t.xy*(src.W-1)) + max(0, -t.yy*(src.H-1))
	for y := range src.H {
		for x := range src.W {
			to := (top+t.xy*x+t.yy*y)*w + left + t.xx*x + t.yx*y
			copy(out.Pix[3*to:3*to+3], src.Pix[3*(y*src.W+x):])
		}
	}
	return out
}

// of is the turn that shows f as a player does: the frame's own, else its stream's.
func (t turn) of(f *astiav.Frame) turn {
	if m, ok := frameMatrix(f); ok {
		return m.turn()
	}
	return t
}

// size of an image of w × h pixels, shown.
func (t turn) size(w, h int) (int, int) {
	if t.xx == 0 {
		return h, w
	}
	return w, h
}
