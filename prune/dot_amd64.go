package prune

import "golang.org/x/sys/cpu"

// hasAVX2 says whether the vector code below runs here. It gives the bits that the Go code gives.
var hasAVX2 = cpu.X86.HasAVX2

// dotLanes is the inner product of a and b, whose length is a multiple of lanes.
func dotLanes(a, b []float32) float32 {
	if !hasAVX2 || len(a) == 0 {
		return dotLanesGo(a, b)
	}
	return dotAVX2(&a[0], &b[0], len(a))
}

// dot4Lanes is dotLanes of a and the start of each of rows.
func dot4Lanes(a []float32, rows *[4][]float32) (sums [4]float32) {
	if !hasAVX2 || len(a) == 0 {
		return dot4LanesGo(a, rows)
	}
	for _, b := range rows {
		_ = b[len(a)-1] // the vector code looks at no bounds
	}
	dot4AVX2(&a[0], &rows[0][0], &rows[1][0], &rows[2][0], &rows[3][0], len(a), &sums)
	return sums
}

// normLanes is the sum of squares of v, whose length is a multiple of lanes, in double precision.
func normLanes(v []float32) float64 {
	if !hasAVX2 || len(v) == 0 {
		return normLanesGo(v)
	}
	return normAVX2(&v[0], len(v))
}

// scale sets dst to v, which is as long, times by in double precision, rounded.
func scale(dst, v []float32, by float64) {
	dst = dst[:len(v)]
	whole := len(v) &^ (lanes - 1)
	if !hasAVX2 || whole == 0 {
		scaleGo(dst, v, by)
		return
	}
	scaleAVX2(&dst[0], &v[0], whole, by)
	scaleGo(dst[whole:], v[whole:], by)
}

//go:noescape
func dotAVX2(a, b *float32, n int) float32

//go:noescape
func dot4AVX2(a, b0, b1, b2, b3 *float32, n int, sums *[4]float32)

//go:noescape
func normAVX2(v *float32, n int) float64

//go:noescape
func scaleAVX2(dst, v *float32, n int, by float64)
