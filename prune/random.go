package prune

import (
	"math/bits"
	"math/rand/v2"
)

// random keeps a sample, the same for equal seed, frame and size. Every set of
// k rows is equally likely. Cost: O(n).
type random struct{ seed uint64 }

func newRandom(o Options) Policy { return newPicker(o, random{seed: o.Seed}) }

func (random) usesQuery() bool { return false }

// pick goes through the rows once, taking each with the probability that is left
// to it (selection sampling: Knuth, TAOCP 2, 3.4.2, algorithm S).
func (r random) pick(g group, k int) []pick {
	source := rand.NewPCG(r.seed, uint64(g.index))
	picks := make([]pick, 0, k)
	for i := 0; len(picks) < k; i++ {
		draw, _ := bits.Mul64(source.Uint64(), uint64(g.n-i)) // 0 ≤ draw < n-i
		if draw < uint64(k-len(picks)) {
			picks = append(picks, pick{row: i})
		}
	}
	return picks
}
