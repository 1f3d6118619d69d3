package prune

// lanes is how many sums an inner product is made of before they are added up.
const lanes = 16

// dot is the inner product of a and b, which are equally long, in single
// precision. Its order of summation is part of what is selected, and the same on
// every platform: lane l sums the products at i ≡ l (mod 16), each rounded on
// its own; the lanes are then added pairwise, the halves first, and the tail past
// the last multiple of 16 in order. dot4 sums in the same order.
//
// It is written here and not taken from a module, since those that were looked at
// (gonum, viterin/vek) promise no order of summation and read a row anew for
// every product.
func dot(a, b []float32) float32 {
	whole := len(a) &^ (lanes - 1)
	return tail(dotLanes(a[:whole], b[:whole]), a[whole:], b[whole:])
}

// dot4 is the inner products of a with each of four rows as long as a, which is
// read once for all of them.
func dot4(a []float32, rows *[4][]float32) [4]float32 {
	whole := len(a) &^ (lanes - 1)
	sums := dot4Lanes(a[:whole], rows)
	if whole < len(a) {
		for i, b := range rows {
			sums[i] = tail(sums[i], a[whole:], b[whole:])
		}
	}
	return sums
}

// sweep sets out[i] to the inner product of v and row(i), for every i.
func sweep(v []float32, row func(i int) []float32, out []float32) {
	i := 0
	for ; i+4 <= len(out); i += 4 {
		sums := dot4(v, &[4][]float32{row(i), row(i + 1), row(i + 2), row(i + 3)})
		copy(out[i:], sums[:])
	}
	if i+1 == len(out) {
		out[i] = dot(v, row(i))
	} else if i < len(out) { // four cost little more than one
		last := len(out) - 1
		sums := dot4(v, &[4][]float32{row(i), row(min(i+1, last)), row(last), row(last)})
		copy(out[i:], sums[:])
	}
}

// tail adds the products of a and b to sum, one after the other.
func tail(sum float32, a, b []float32) float32 {
	for i := range a {
		sum += float32(a[i] * b[i])
	}
	return sum
}

// dotLanesGo is dotLanes for processors without code of their own. The
// conversions keep the compiler from fusing a product into its sum.
func dotLanesGo(a, b []float32) float32 {
	var s [lanes]float32
	for b = b[:len(a)]; len(a) >= lanes && len(b) >= lanes; a, b = a[lanes:], b[lanes:] {
		for l := range s {
			s[l] += float32(a[l] * b[l])
		}
	}
	for half := lanes / 2; half > 0; half /= 2 {
		for l := range half {
			s[l] += s[l+half]
		}
	}
	return s[0]
}

func dot4LanesGo(a []float32, rows *[4][]float32) (sums [4]float32) {
	for i, b := range rows {
		sums[i] = dotLanesGo(a, b[:len(a)])
	}
	return sums
}

// normLanesGo is normLanes for processors without code of their own.
func normLanesGo(v []float32) float64 {
	var s [lanes]float64
	for ; len(v) >= lanes; v = v[lanes:] {
		for l := range s {
			x := float64(v[l])
			s[l] += x * x // exact: fused or not, the sum is the same
		}
	}
	for half := lanes / 2; half > 0; half /= 2 {
		for l := range half {
			s[l] += s[l+half]
		}
	}
	return s[0]
}

// scaleGo is scale for processors without code of their own.
func scaleGo(dst, v []float32, by float64) {
	for i, x := range v {
		dst[i] = float32(float64(x) * by)
	}
}
