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
		w := windowOf(i, e, d)
		out[i] = mean(query[w.from:w.to])
	}
	return out
}

// window is from ≤ i < to.
type window struct{ from, to int }

// windowOf is the i-th of k ≤ n windows that cover n places evenly: ⌊i·n/k⌋ …
// ⌈(i+1)·n/k⌉. They overlap where k does not divide n.
func windowOf(i, n, k int) window { return window{i * n / k, ((i+1)*n + k - 1) / k} }

// middle is the place nearest its middle, the lower of two. It rises from window to window.
func (w window) middle() int { return (w.from + w.to - 1) / 2 }

func mean(v []float32) float32 {
	sum := 0.0
	for _, x := range v {
		sum += float64(x)
	}
	return float32(sum / float64(len(v)))
}
