package resize

import "fmt"

// Plan makes squares of images of one size, as Pillow's Image.resize with
// BICUBIC. It keeps what they have in common, its buffers included: it is for one
// goroutine.
type Plan struct {
	mode          Mode
	fill          [3]uint8
	columns, rows []taps
	left          int // column of the whole image that images begin at
	weigher
}

// NewPlan is for images of w × h pixels, at least one, that become size × size.
// fill is Pad's colour.
func NewPlan(w, h, size int, mode Mode, fill [3]uint8) (*Plan, error) {
	across, down := window{size, 0, size}, window{size, 0, size}
	switch mode {
	case ShortestCrop:
		across, down = shortestCrop(w, h, size)
	case Squash:
	case Pad:
		w, h = max(w, h), max(w, h)
	default:
		return nil, fmt.Errorf("resize: mode %q is unknown", mode)
	}
	return &Plan{mode: mode, fill: fill, columns: allTaps(w, across), rows: allTaps(h, down)}, nil
}

// Columns are those that squares are made of, from..to-1: an image may lack the others.
func (p *Plan) Columns() (from, to int) {
	return p.columns[0].first + p.left, p.columns[len(p.columns)-1].end() + p.left
}

// Square is that of src, whose first column is column left of the whole image,
// until the next call. It requires left to be 0 with Pad.
func (p *Plan) Square(src Image, left int) Image {
	if left != p.left {
		p.begin(left)
	}
	if p.mode == Pad {
		src = pad(src, p.fill)
	}
	return p.weigh(src, p.columns, p.rows)
}

// begin has the columns counted from left.
func (p *Plan) begin(left int) {
	for i := range p.columns {
		p.columns[i].first += p.left - left
	}
	p.left, p.weigher = left, weigher{}
}

// Square returns src as size × size pixels.
func Square(src Image, size int, mode Mode, fill [3]uint8) (Image, error) {
	plan, err := NewPlan(src.W, src.H, size, mode, fill)
	if err != nil {
		return Image{}, err
	}
	return plan.Square(src, 0), nil
}

// shortestCrop are the pixels that the crop keeps: an image of extreme shape
// costs no more than a square.
func shortestCrop(w, h, size int) (across, down window) {
	fullW, fullH := size, size
	if w < h {
		fullH = size * h / w
	} else {
		fullW = size * w / h
	}
	return window{fullW, middle(fullW, size), size}, window{fullH, middle(fullH, size), size}
}
