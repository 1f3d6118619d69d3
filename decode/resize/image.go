package resize

import "fmt"

// Image is RGB, three bytes a pixel, rows without padding: Pix has 3·W·H bytes.
type Image struct {
	W, H int
	Pix  []byte
}

// New returns a black image.
func New(w, h int) Image { return Image{W: w, H: h, Pix: make([]byte, 3*w*h)} }

// Mode is how an image of any shape becomes a square.
type Mode string

// The modes.
const (
	ShortestCrop Mode = "shortest_crop" // the shorter edge to size, then the middle
	Squash       Mode = "squash"        // both edges to size
	Pad          Mode = "pad"           // filled up to a square, then to size
)

// Square returns src as size × size pixels. fill is Pad's colour. It requires
// src to have at least one pixel.
func Square(src Image, size int, mode Mode, fill [3]uint8) (Image, error) {
	switch mode {
	case ShortestCrop:
		return shortestCrop(src, size), nil
	case Squash:
		return Bicubic(src, size, size), nil
	case Pad:
		return Bicubic(pad(src, fill), size, size), nil
	}
	return Image{}, fmt.Errorf("resize: mode %q is unknown", mode)
}

// shortestCrop computes only the pixels that the crop keeps: an image of
// extreme shape costs no more than a square.
func shortestCrop(src Image, size int) Image {
	w, h := size, size
	if src.W < src.H {
		h = size * src.H / src.W
	} else {
		w = size * src.W / src.H
	}
	return resample(src, window{w, middle(w, size), size}, window{h, middle(h, size), size})
}

// middle is where torchvision's center_crop begins: round((full-size)/2), a half to the even neighbour.
func middle(full, size int) int {
	twice := full - size
	if twice%4 == 3 {
		return twice/2 + 1
	}
	return twice / 2
}

// pad puts src in the middle of a square of its longer edge; an odd rest goes below or right.
func pad(src Image, fill [3]uint8) Image {
	side := max(src.W, src.H)
	if src.W == src.H {
		return src
	}
	out := New(side, side)
	for i := 0; i < len(out.Pix); i += 3 {
		copy(out.Pix[i:], fill[:])
	}
	left, top := (side-src.W)/2, (side-src.H)/2
	for y := range src.H {
		copy(out.Pix[3*((top+y)*side+left):], src.Pix[3*y*src.W:3*(y+1)*src.W])
	}
	return out
}
