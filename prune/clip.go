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
	c := &Clip{}
	if err := Refill(c, tokens); err != nil {
		return nil, err
	}
	return c, nil
}

// Refill makes c what NewClip makes of tokens, in the memory that c has if it is
// enough. Nobody may be selecting from c. After an error c holds no tokens.
func Refill[E float32 | tensor.Float16](c *Clip, tokens tensor.Dense[E]) error {
	unit := c.unit
	*c = Clip{}
	if err := tokens.Validate(); err != nil {
		return fmt.Errorf("prune: tokens: %w", err)
	}
	if len(tokens.Shape) != 3 || len(tokens.Data) == 0 {
		return fmt.Errorf("prune: tokens have shape %v, want [T,P,D] with none of them 0", []int(tokens.Shape))
	}
	if cap(unit) < len(tokens.Data) {
		unit = make([]float32, len(tokens.Data))
	}
	ready := Clip{T: tokens.Shape[0], P: tokens.Shape[1], D: tokens.Shape[2], unit: unit[:len(tokens.Data)]}
	bad := make([]int, ready.T) // first bad cell of each frame, or P
	spread(ready.T, func(t int) { bad[t] = readFrame(&ready, t, tokens.Row(t)) })
	for t, cell := range bad {
		if cell < ready.P {
			return fmt.Errorf("prune: token of frame %d, cell %d holds a NaN or an infinity", t, cell)
		}
	}
	*c = ready
	return nil
}

// readFrame sets frame t of c to the unit rows of frame, [P,D]; it returns the
// first cell that is not finite, or P.
func readFrame[E float32 | tensor.Float16](c *Clip, t int, frame []E) int {
	for cell := range c.P {
		row := c.row(t*c.P + cell)
		if !normalise(row, single(row, frame[cell*c.D:(cell+1)*c.D])) {
			return cell
		}
	}
	return c.P
}

// row is unit row i, 0 ≤ i < T·P.
func (c *Clip) row(i int) []float32 { return c.unit[i*c.D : (i+1)*c.D] }

// single is src in single precision: itself, or in room, which is as long.
func single[E float32 | tensor.Float16](room []float32, src []E) []float32 {
	switch s := any(src).(type) {
	case []float32:
		return s
	case []tensor.Float16:
		tensor.Widen(room, s)
	}
	return room
}

// normalise sets dst, which may be v, to v divided by its L2 norm, at least
// minNorm; false if v is not finite. The norm is taken in double precision, where
// no float32 overflows.
func normalise(dst, v []float32) bool {
	inverse := 1 / math.Max(norm(v), minNorm)
	if math.IsNaN(inverse) || inverse == 0 {
		return false
	}
	scale(dst, v, inverse)
	return true
}

// norm is v's L2 norm, taken in lanes as dot is. NaNs and infinities reach the result.
func norm(v []float32) float64 {
	whole := len(v) &^ (lanes - 1)
	sum := normLanes(v[:whole])
	for _, x := range v[whole:] {
		sum += float64(x) * float64(x)
	}
	return math.Sqrt(sum)
}
