package prune

import (
	"fmt"
	"math"

	"github.com/winnow-video/winnow/infer/tensor"
)

// minNorm is the least a norm counts for: a row of zeros stays zeros.
const minNorm = 1e-12

// Clip is a clip's tokens made ready to select from: finite, and of unit
// length. Make it once and ask it every question. It is safe for concurrent use.
type Clip struct {
	T, P, D int
	unit    []float32 // [T·P,D], rows over their norm
}

// NewClip reads tokens [T,P,D], in single or half precision, not normalised.
// A NaN or an infinity is refused with its frame and cell. It keeps T·P·D
// float32 of its own; cost O(T·P·D), on all cores.
func NewClip[E float32 | tensor.Float16](tokens tensor.Dense[E]) (*Clip, error) {
	if err := tokens.Validate(); err != nil {
		return nil, fmt.Errorf("prune: tokens: %w", err)
	}
	if len(tokens.Shape) != 3 || len(tokens.Data) == 0 {
		return nil, fmt.Errorf("prune: tokens have shape %v, want [T,P,D] with none of them 0", []int(tokens.Shape))
	}
	c := &Clip{T: tokens.Shape[0], P: tokens.Shape[1], D: tokens.Shape[2]}
	c.unit = make([]float32, len(tokens.Data))
	bad := make([]int, c.T) // first bad cell of each frame, or P
	spread(c.T, func(t int) {
		frame := tokens.Row(t)
		for bad[t] = 0; bad[t] < c.P; bad[t]++ {
			from := bad[t] * c.D
			row := c.row(t*c.P + bad[t])
			single(row, frame[from:from+c.D])
			if !normalise(row) {
				return
			}
		}
	})
	for t, cell := range bad {
		if cell < c.P {
			return nil, fmt.Errorf("prune: token of frame %d, cell %d holds a NaN or an infinity", t, cell)
		}
	}
	return c, nil
}

// row is unit row i, 0 ≤ i < T·P.
func (c *Clip) row(i int) []float32 { return c.unit[i*c.D : (i+1)*c.D] }

// single copies src into dst in single precision.
func single[E float32 | tensor.Float16](dst []float32, src []E) {
	switch s := any(src).(type) {
	case []float32:
		copy(dst, s)
	case []tensor.Float16:
		tensor.Widen(dst, s)
	}
}

// normalise divides v by its L2 norm, at least minNorm; false if v is not
// finite. The norm is taken in double precision, where no float32 overflows.
func normalise(v []float32) bool {
	inverse := 1 / math.Max(norm(v), minNorm)
	if math.IsNaN(inverse) || inverse == 0 {
		return false
	}
	for i, x := range v {
		v[i] = float32(float64(x) * inverse)
	}
	return true
}

// norm is v's L2 norm. NaNs and infinities reach the result.
func norm(v []float32) float64 {
	var s0, s1, s2, s3 float64 // four sums, so that an addition need not wait for the last
	for ; len(v) >= 4; v = v[4:] {
		s0 += float64(v[0]) * float64(v[0])
		s1 += float64(v[1]) * float64(v[1])
		s2 += float64(v[2]) * float64(v[2])
		s3 += float64(v[3]) * float64(v[3])
	}
	for _, x := range v {
		s0 += float64(x) * float64(x)
	}
	return math.Sqrt((s0 + s2) + (s1 + s3))
}
