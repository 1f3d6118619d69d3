package tensor

import (
	"math"
	"testing"
)

// halfValue is the definition: (-1)^s · 2^(e-15) · 1.f, or 2^-14 · 0.f.
func halfValue(h Float16) float64 {
	sign, exp, frac := 1-2*int(h>>15), int(h>>10&31), float64(h&0x3ff)/1024
	switch {
	case exp == 31 && frac != 0:
		return math.NaN()
	case exp == 31:
		return math.Inf(sign)
	case exp == 0:
		return math.Copysign(math.Ldexp(frac, -14), float64(sign))
	}
	return float64(sign) * math.Ldexp(1+frac, exp-15)
}

func TestFloat16EveryHalf(t *testing.T) {
	t.Parallel()
	for i := range 1 << 16 {
		h := Float16(i)
		want, got := halfValue(h), h.Float32()
		if math.IsNaN(want) {
			if got == got || ToFloat16(got) != h|0x200 {
				t.Fatalf("%#04x: NaN became %v, then %#04x", i, got, ToFloat16(got))
			}
			continue
		}
		if float64(got) != want || math.Signbit(float64(got)) != math.Signbit(want) {
			t.Fatalf("%#04x is %v, want %v", i, got, want)
		}
		if back := ToFloat16(got); back != h {
			t.Fatalf("%#04x came back as %#04x", i, back)
		}
	}
}

// Between every two neighbouring halves: the midpoint goes to the even one, its neighbours to the nearer.
func TestToFloat16RoundsHalfToEven(t *testing.T) {
	t.Parallel()
	for i := range 0x7c00 {
		lo, hi := Float16(i), Float16(i+1)
		top := halfValue(hi)
		if math.IsInf(top, 0) {
			top = 65536
		}
		mid := float32((halfValue(lo) + top) / 2) // exact: one more bit than a half has
		even := lo + lo&1
		below, above := math.Nextafter32(mid, 0), math.Nextafter32(mid, math.MaxFloat32)
		for f, want := range map[float32]Float16{below: lo, mid: even, above: hi} {
			if got := ToFloat16(f); got != want {
				t.Fatalf("%g became %#04x, want %#04x", f, got, want)
			}
			if got := ToFloat16(-f); got != want|0x8000 {
				t.Fatalf("%g became %#04x, want %#04x", -f, got, want|0x8000)
			}
		}
	}
}

func TestWidenNarrow(t *testing.T) {
	t.Parallel()
	halves := []Float16{0, 0x8000, 0x3c00, 0x3555, 1, 0x7bff}
	single := make([]float32, len(halves))
	Widen(single, halves)
	back := make([]Float16, len(halves))
	Narrow(back, single)
	for i := range halves {
		if back[i] != halves[i] {
			t.Errorf("%#04x came back as %#04x by way of %v", halves[i], back[i], single[i])
		}
	}
}

// Many at once are what they are one by one, bit by bit, wherever the many end.
func TestWidenEqualsFloat32(t *testing.T) {
	t.Parallel()
	every := make([]Float16, 1<<16)
	for i := range every {
		every[i] = Float16(i)
	}
	for _, src := range [][]Float16{every, every[:15], every[1000:1016], every[1<<16-31:], nil} {
		single := make([]float32, len(src))
		Widen(single, src)
		for i, h := range src {
			if got, want := math.Float32bits(single[i]), math.Float32bits(h.Float32()); got != want {
				t.Fatalf("%#04x, %d of %d: bits %#08x, want %#08x", h, i, len(src), got, want)
			}
		}
	}
}

func BenchmarkWiden(b *testing.B) {
	src, dst := make([]Float16, 144*1024), make([]float32, 144*1024)
	for i := range src {
		src[i] = ToFloat16(float32(i%97) - 48)
	}
	b.SetBytes(int64(2 * len(src)))
	for b.Loop() {
		Widen(dst, src)
	}
}

func BenchmarkNarrow(b *testing.B) {
	src, dst := make([]float32, 144*1024), make([]Float16, 144*1024)
	for i := range src {
		src[i] = float32(i%97) - 48
	}
	b.SetBytes(int64(4 * len(src)))
	for b.Loop() {
		Narrow(dst, src)
	}
}
