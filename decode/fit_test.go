package decode

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/asticode/go-astiav"

	"github.com/winnow-video/winnow/workflows/job"
)

// noise is a frame of random pixels.
func noise(t *testing.T, format string, w, h int) *astiav.Frame {
	t.Helper()
	f := astiav.AllocFrame()
	defer f.Free()
	f.SetWidth(w)
	f.SetHeight(h)
	f.SetPixelFormat(astiav.FindPixelFormatByName(format))
	n, err := f.ImageBufferSize(1)
	if err != nil {
		t.Fatal(err)
	}
	rng, content := rand.New(rand.NewPCG(1, uint64(w))), make([]byte, n)
	for i := range content {
		content[i] = byte(rng.Uint32())
		if i%2 == 1 && n > 3*w*h { // two bytes a sample, of ten bits
			content[i] &= 3
		}
	}
	return frameOf(t, f.PixelFormat(), w, h, content)
}

// Columns that are converted without the others are the same as with them.
func TestColumnsOfAFrame(t *testing.T) {
	t.Parallel()
	for _, format := range []string{
		"yuv420p", "yuvj420p", "yuv422p", "yuv444p", "yuv411p", "yuv440p", "yuva420p", "nv12", "yuv420p10le", "yuv422p10le", "p010le", "yuyv422", "gray", "rgb24", "gbrp",
	} {
		for _, w := range []int{640, 642, 643, 700, 130, 40} {
			t.Run(fmt.Sprintf("%s_%d", format, w), func(t *testing.T) {
				t.Parallel()
				f := noise(t, format, w, 34)
				for _, color := range job.Colors() {
					all, part := converter{color: color}, converter{color: color}
					defer all.free()
					defer part.free()
					whole, left, err := all.rgb(f, 0, w)
					if err != nil || left != 0 || whole.W != w {
						t.Fatal(left, whole.W, err)
					}
					for _, c := range [][2]int{{0, w / 2}, {w / 3, w/3 + 1}, {w / 2, w}, {w / 4, w * 3 / 4}} {
						got, left, err := part.rgb(f, c[0], c[1])
						if err != nil || left > c[0] || left+got.W < c[1] {
							t.Fatalf("columns %d..%d for %d..%d: %v", left, left+got.W, c[0], c[1], err)
						}
						for y := range f.Height() {
							a, b := whole.Pix[3*(y*w+c[0]):3*(y*w+c[1])], got.Pix[3*(y*got.W+c[0]-left):3*(y*got.W+c[1]-left)]
							if !bytes.Equal(a, b) {
								t.Fatalf("%s: row %d of columns %d..%d differs", color, y, c[0], c[1])
							}
						}
					}
				}
			})
		}
	}
}
