package prune

// dot is the inner product of a and b, which are equally long, in single
// precision. It is the only kernel of this package: its order of summation is
// part of what is selected. Lane l sums the products at i ≡ l (mod 8); the lanes
// are then added pairwise, and the tail past the last multiple of 8 in order.
// Every product is rounded on its own, so that no platform fuses it into the sum.
func dot(a, b []float32) float32 {
	var s0, s1, s2, s3, s4, s5, s6, s7 float32
	b = b[:len(a)]
	for len(a) >= 8 && len(b) >= 8 {
		s0 += float32(a[0] * b[0])
		s1 += float32(a[1] * b[1])
		s2 += float32(a[2] * b[2])
		s3 += float32(a[3] * b[3])
		s4 += float32(a[4] * b[4])
		s5 += float32(a[5] * b[5])
		s6 += float32(a[6] * b[6])
		s7 += float32(a[7] * b[7])
		a, b = a[8:], b[8:]
	}
	sum := ((s0 + s4) + (s2 + s6)) + ((s1 + s5) + (s3 + s7))
	for i := range a {
		sum += float32(a[i] * b[i])
	}
	return sum
}
