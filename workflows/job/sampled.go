package job

import "math/rand/v2"

// Sample draws n of the items, each as likely as any other, and keeps their
// order; all of them, if there are no more. The same seed draws the same.
func Sample(items []Item, n int, seed uint64) []Item {
	drawn := make([]Item, 0, min(n, len(items)))
	source := rand.New(rand.NewPCG(seed, 0))
	for i, item := range items {
		left, wanted := len(items)-i, n-len(drawn)
		if source.IntN(left) < wanted { // Knuth, TAOCP 3.4.2, algorithm S
			drawn = append(drawn, item)
		}
	}
	return drawn
}
