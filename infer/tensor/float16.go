package tensor

import "math"

// Float16 is the bits of an IEEE 754 half-precision number: sign, 5 bits of
// exponent, 10 of fraction. The largest finite value is 65504.
//
// The two conversions are written out here rather than taken from a module:
// they are a dozen lines without a branch on the usual path, need no table that
// would push tokens out of the cache, and are tested on every half there is.
type Float16 uint16

const (
	halfInf     = 0x7c00
	singleInf   = 0xff << 23
	singleQuiet = 1 << 22
)

// Float32 is the number's exact value. NaNs stay NaNs, with their payload, and are
// quiet from then on, as processors make them.
func (h Float16) Float32() float32 {
	sign := uint32(h&0x8000) << 16
	bits := uint32(h&0x7fff) << 13
	// The bits, read as a single, are the half's value times 2^-112: subnormals included.
	bits = math.Float32bits(math.Float32frombits(bits) * 0x1p112)
	if h&halfInf == halfInf {
		bits |= singleInf
	}
	if h&0x7fff > halfInf {
		bits |= singleQuiet
	}
	return math.Float32frombits(sign | bits)
}

// ToFloat16 is the half nearest to f, ties to even; from 65520 on it is infinite.
func ToFloat16(f float32) Float16 {
	bits := math.Float32bits(f)
	sign := Float16(bits >> 16 & 0x8000)
	bits &= 0x7fffffff
	switch {
	case bits > singleInf:
		return sign | halfInf | 0x200 | Float16(bits>>13&0x3ff)
	case bits >= (127+16)<<23: // 2^16 and above; from 65520 on, rounding gets there by itself
		return sign | halfInf
	case bits < (127-14)<<23: // below 2^-14: a subnormal half
		// Adding 2^-1 aligns the fraction's last bit with 2^-24 and lets the adder round.
		return sign | Float16(math.Float32bits(math.Float32frombits(bits)+0.5)-math.Float32bits(0.5))
	}
	bits += 0xfff + bits>>13&1 // round half to even
	return sign | Float16((bits-(127-15)<<23)>>13)
}

// Widen converts src to single precision into dst, which is as long.
func Widen(dst []float32, src []Float16) {
	dst = dst[:len(src)]
	for i := widen(dst, src); i < len(src); i++ {
		dst[i] = src[i].Float32()
	}
}

// Narrow converts src to half precision into dst, which is as long.
func Narrow(dst []Float16, src []float32) {
	dst = dst[:len(src)]
	for i, f := range src {
		dst[i] = ToFloat16(f)
	}
}
