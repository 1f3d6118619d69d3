package torchfile

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/winnow-video/winnow/infer/tensor"
)

// Narrow is d as a tensor of type to: F16, BF16 or F32. What is not finite, or
// is not any more in that type, is an error.
func Narrow(d tensor.Dense[float32], to tensor.DType) (tensor.Tensor, error) {
	if _, known := storages()[to]; !known {
		return tensor.Tensor{}, fmt.Errorf("%s: want F16, BF16 or F32", to)
	}
	out := make([]byte, 0, len(d.Data)*to.Size())
	for i, x := range d.Data {
		var ok bool
		if out, ok = appendNarrow(out, x, to); !ok {
			return tensor.Tensor{}, fmt.Errorf("value %d is %v, which %s cannot hold", i, x, to)
		}
	}
	return tensor.Tensor{DType: to, Shape: d.Shape, Bytes: out}, nil
}

// appendNarrow appends x as type to; ok is false where it is not finite there.
func appendNarrow(out []byte, x float32, to tensor.DType) (_ []byte, ok bool) {
	switch to {
	case tensor.F16:
		const exponent = 0x7c00
		h := uint16(tensor.ToFloat16(x))
		return binary.LittleEndian.AppendUint16(out, h), h&exponent != exponent
	case BF16:
		const exponent = 0x7f80
		bits := math.Float32bits(x)
		h := uint16((bits + 0x7fff + bits>>16&1) >> 16) // round half to even
		return binary.LittleEndian.AppendUint16(out, h), h&exponent != exponent && !math.IsNaN(float64(x))
	default:
		const exponent = 0x7f800000
		bits := math.Float32bits(x)
		return binary.LittleEndian.AppendUint32(out, bits), bits&exponent != exponent
	}
}
