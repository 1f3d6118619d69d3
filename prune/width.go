package prune

// fit brings a query [E] to the tokens' width d: as it is, averaged over d
// windows that cover it if it is wider, repeated and cut if it is narrower
// (ReDiPrune's published code). Window i is ⌊i·E/d⌋ … ⌈(i+1)·E/d⌉, which is E/d
// neighbours where d divides E. The result is a copy.
func fit(query []float32, d int) []float32 {
	e := len(query)
	out := make([]float32, d)
	for i := range out {
		if e <= d {
			out[i] = query[i%e]
			continue
		}
		from, to := i*e/d, ((i+1)*e+d-1)/d
		out[i] = mean(query[from:to])
	}
	return out
}

func mean(v []float32) float32 {
	sum := 0.0
	for _, x := range v {
		sum += float64(x)
	}
	return float32(sum / float64(len(v)))
}
