package decode

import "sort"

// sample returns the positions, ascending, of count frames spread evenly over
// those shown in start..end, both included; all of them where there are fewer,
// none where there are none. times are seconds from the first frame, ascending.
//
// Of N frames it takes numpy's linspace(0, N-1, count, dtype=int), both ends
// included, as LLaVA-NeXT and its descendants sample.
func sample(times []float64, start, end *float64, count int) []int {
	first, last := 0, len(times)
	if start != nil {
		first = sort.Search(len(times), func(i int) bool { return times[i] >= *start })
	}
	if end != nil {
		last = sort.Search(len(times), func(i int) bool { return times[i] > *end })
	}
	if first >= last {
		return nil
	}
	picks := linspace(last-first, min(count, last-first))
	for i := range picks {
		picks[i] += first
	}
	return picks
}

// linspace is numpy.linspace(0, total-1, n, dtype=int), its rounding included.
func linspace(total, n int) []int {
	picks := make([]int, n)
	if n == 1 {
		return picks
	}
	step := float64(total-1) / float64(n-1)
	for i := range picks {
		picks[i] = int(float64(i) * step)
	}
	picks[n-1] = total - 1
	return picks
}
