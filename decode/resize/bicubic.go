package resize

import "math"

// Pillow's fixed point: 8 bits of result and 2 of overshoot leave 22 for the weights.
const (
	precisionBits = 32 - 8 - 2
	half          = 1 << (precisionBits - 1)
)

// support is the bicubic kernel's half width, source pixels.
const support = 2.0

// window is a stretch of a resized edge: size pixels from the from-th, of full.
type window struct{ full, from, size int }

// taps are the source pixels behind one resized pixel.
type taps struct {
	first   int
	weights []int32 // fixed point; they sum to 1 but for rounding
}

// weighInGo applies the taps to src: of columns, then of rows, and of the rows
// only those that are asked for. Cost: O(w·H·(2·W/w) + w·h·(2·H/h)) for downscaling.
func weighInGo(src Image, columns, rows []taps) Image {
	first, last := rows[0].first, rows[len(rows)-1].end()
	return vertical(horizontal(src, columns, first, last), rows, first)
}

func (t taps) end() int { return t.first + len(t.weights) }

// horizontal resizes rows first..last-1 of src.
func horizontal(src Image, columns []taps, first, last int) Image {
	out := New(len(columns), last-first)
	for y := range out.H {
		row := src.Pix[3*(first+y)*src.W : 3*(first+y+1)*src.W]
		into := out.Pix[3*y*out.W : 3*(y+1)*out.W]
		for x, t := range columns {
			r, g, b := int32(half), int32(half), int32(half)
			px := row[3*t.first:]
			for i, k := range t.weights {
				r += int32(px[3*i]) * k
				g += int32(px[3*i+1]) * k
				b += int32(px[3*i+2]) * k
			}
			into[3*x], into[3*x+1], into[3*x+2] = clip8(r), clip8(g), clip8(b)
		}
	}
	return out
}

// vertical resizes columns of src, whose row 0 is row base of the original.
func vertical(src Image, rows []taps, base int) Image {
	out := New(src.W, len(rows))
	sums := make([]int32, 3*src.W)
	for y, t := range rows {
		for i := range sums {
			sums[i] = half
		}
		for i, k := range t.weights {
			row := src.Pix[3*(t.first-base+i)*src.W:][:len(sums)]
			for j, v := range row {
				sums[j] += int32(v) * k
			}
		}
		into := out.Pix[3*y*src.W:][:len(sums)]
		for j, s := range sums {
			into[j] = clip8(s)
		}
	}
	return out
}

func clip8(v int32) uint8 { return uint8(max(0, min(255, v>>precisionBits))) }

// allTaps computes the window's taps on an edge of in source pixels. One that
// keeps its length has single taps of weight 1.
func allTaps(in int, w window) []taps {
	all := make([]taps, w.size)
	for i := range all {
		if in == w.full {
			all[i] = taps{w.from + i, []int32{1 << precisionBits}}
		} else {
			all[i] = tapsOf(in, w.full, w.from+i)
		}
	}
	return all
}

// tapsOf is Pillow's precompute_coeffs for pixel x of an edge resized from in to out.
func tapsOf(in, out, x int) taps {
	scale := float64(in) / float64(out)
	filterScale := max(scale, 1)
	center := (float64(x) + 0.5) * scale
	first := max(0, int(center-support*filterScale+0.5))
	last := min(in, int(center+support*filterScale+0.5))
	exact := make([]float64, last-first)
	var sum float64
	for i := range exact {
		exact[i] = bicubic((float64(first+i) - center + 0.5) * (1 / filterScale))
		sum += exact[i]
	}
	t := taps{first, make([]int32, len(exact))}
	for i, k := range exact {
		t.weights[i] = fixed(k / sum)
	}
	return t
}

func fixed(k float64) int32 {
	return int32(k*(1<<precisionBits) + math.Copysign(0.5, k))
}

// bicubic is Keys' cubic convolution kernel with a = -0.5.
func bicubic(x float64) float64 {
	const a = -0.5
	x = math.Abs(x)
	switch {
	case x < 1:
		return ((a+2)*x-(a+3))*x*x + 1
	case x < 2:
		return (((x-5)*x+8)*x - 4) * a
	}
	return 0
}
