package prune

import (
	"fmt"

	"github.com/winnow-video/winnow/infer/tensor"
)

// Gather makes the kept tokens [M,D] of tokens [T,P,D]: a pick is its row, bit
// by bit; a merged token is the weighted sum of its rows, summed in single precision.
func Gather[E float32 | tensor.Float16](tokens tensor.Dense[E], s *Selection) (tensor.Dense[E], error) {
	var none tensor.Dense[E]
	if err := tokens.Validate(); err != nil {
		return none, fmt.Errorf("prune: gather: %w", err)
	}
	if len(tokens.Shape) != 3 || tokens.Shape[0] != s.T || tokens.Shape[1] != s.P {
		return none, fmt.Errorf("prune: gather: tokens are %v, the selection is of [%d,%d,…]", []int(tokens.Shape), s.T, s.P)
	}
	d := tokens.Shape[2]
	rows := tensor.Dense[E]{Shape: tensor.Shape{s.T * s.P, d}, Data: tokens.Data}
	out := tensor.New[E](len(s.Kept), d)
	sum, row := make([]float32, d), make([]float32, d)
	for i, k := range s.Kept {
		if len(k.Sources) == 1 && k.Sources[0].Weight == 1 {
			copy(out.Row(i), rows.Row(k.Sources[0].Row))
			continue
		}
		blend(sum, row, rows, k.Sources)
		round(out.Row(i), sum)
	}
	return out, nil
}

// blend sets sum [D] to the weighted sum of the source rows. room [D] is for one of them.
func blend[E float32 | tensor.Float16](sum, room []float32, rows tensor.Dense[E], sources []Source) {
	clear(sum)
	for _, s := range sources {
		for i, x := range single(room, rows.Row(s.Row)) {
			sum[i] += float32(s.Weight * x)
		}
	}
}

// round copies src into dst in dst's precision.
func round[E float32 | tensor.Float16](dst []E, src []float32) {
	switch dst := any(dst).(type) {
	case []float32:
		copy(dst, src)
	case []tensor.Float16:
		tensor.Narrow(dst, src)
	}
}
