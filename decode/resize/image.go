package resize

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
