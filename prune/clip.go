package prune

import (
	"errors"
	"fmt"
	"math"

	"github.com/winnow-video/winnow/infer/tensor"
)

// minNorm is the least a norm counts for: a row of zeros stays zeros.
const minNorm = 1e-12

// ErrNotFinite is what a token that cannot be compared holds.
var ErrNotFinite = errors.New("a NaN or an infinity")

// Clip is a clip's tokens, to be selected from. It is safe for concurrent use.
type Clip struct {
	T, P, D int
	token   func(room []float32, i int) []float32 // token 0 ≤ i < T·P as it is, [D], which may use room [D]
	kept    bool                                  // whole is made, and token gone
	whole   *whole
	rooms   *rooms
}

// NewClip makes tokens [T,P,D], in single or half precision, not normalised, ready
// for any number of questions. A NaN or an infinity is refused with its frame and
// cell: ErrNotFinite. It keeps T·P·D float32 of its own; cost O(T·P·D), on all cores.
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
	err := Open(c, tokens)
	if err == nil {
		_, err = c.all()
	}
	if err != nil {
		*c = Clip{}
		return err
	}
	c.kept, c.token = true, nil
	return nil
}

// Open is Refill for a single question. It looks at no token: Select does, and
// refuses what Refill would have; tokens must stay as they are till then. A policy
// that chooses frame by frame makes each frame ready as it comes to it, and holds no
// more than one a core, which spares fetching a clip from memory twice. Every
// question costs the same.
func Open[E float32 | tensor.Float16](c *Clip, tokens tensor.Dense[E]) error {
	old := *c
	*c = Clip{}
	if err := tokens.Validate(); err != nil {
		return fmt.Errorf("prune: tokens: %w", err)
	}
	if len(tokens.Shape) != 3 || len(tokens.Data) == 0 {
		return fmt.Errorf("prune: tokens have shape %v, want [T,P,D] with none of them 0", []int(tokens.Shape))
	}
	if old.whole == nil {
		old.whole, old.rooms = &whole{}, &rooms{}
	}
	d := tokens.Shape[2]
	*c = Clip{
		T: tokens.Shape[0], P: tokens.Shape[1], D: d,
		token: func(room []float32, i int) []float32 { return single(room, tokens.Data[i*d:(i+1)*d]) },
		whole: &whole{block: block{old.whole.data, d}}, rooms: old.rooms,
	}
	return nil
}

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
