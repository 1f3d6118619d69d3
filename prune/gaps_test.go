package prune

import (
	"math"
	"math/rand/v2"
	"testing"
)

// A gap is never more than what it bounds, whatever the order of picks.
func TestGapsAreBounds(t *testing.T) {
	t.Parallel()
	for kind, draw := range kinds {
		rng := rand.New(rand.NewPCG(13, uint64(len(kind))))
		for range 50 {
			n, d := 2+rng.IntN(60), 1+rng.IntN(40)
			g := groupsOf(clipOf(t, draw(rng, n, d), 1, n, d), ScopeFrame, nil)[0]
			gaps := newGaps(n, d)
			for s := 1; s < n; s++ {
				b := bound{similarity: -2}
				for p := range s {
					b.meet(&[tilePicks]float32{dot(g.row(s), g.row(p)), -2, -2, -2}, 1)
				}
				gaps.add(s, b)
				for p := range s {
					// of rows below unit length as well, see gaps
					chord := math.Sqrt(math.Max(0, 2-2*exactDot(g.row(s), g.row(p))))
					if told := gaps.least[p*gaps.picks+s]; float64(told) > chord {
						t.Fatalf("%s, d %d: picks %d and %d are %g apart, told %g", kind, d, p, s, chord, told)
					}
				}
			}
		}
	}
}

// What is skipped is no nearer than what was met, in the rounding of dot.
func TestSkippedPicksAreNoNearer(t *testing.T) {
	t.Parallel()
	skipped := 0
	for kind, draw := range kinds {
		rng := rand.New(rand.NewPCG(14, uint64(len(kind))))
		for range 50 {
			n, d := 3+rng.IntN(60), 1+rng.IntN(200)
			g := groupsOf(clipOf(t, draw(rng, n, d), 1, n, d), ScopeFrame, nil)[0]
			k := n / 2
			s := newSearch(g, ascending(n), pick{}, nil, k)
			for len(s.picked) < k {
				if s.take() {
					continue
				}
				before := append([]bound{}, s.bounds...)
				s.approach()
				for i, b := range s.bounds {
					for p := before[i].met; p < b.met; p++ {
						if x := dot(g.row(i), g.row(s.picked[p].row)); x > b.similarity {
							t.Fatalf("%s, d %d: row %d and pick %d are %g alike, the bound says %g", kind, d, i, p, x, b.similarity)
						}
					}
				}
				skipped += met(s.bounds) - met(before) - s.tile.n*len(s.tile.picks)
			}
		}
	}
	if skipped < 1000 {
		t.Errorf("%d similarities were spared in all, want some", skipped)
	}
}

// met is how many picks all candidates have met.
func met(bounds []bound) (sum int) {
	for _, b := range bounds {
		sum += int(b.met)
	}
	return sum
}

// Picks past those that are told of are met one and all.
func TestLazyEqualsPlainPastTheLastGap(t *testing.T) {
	t.Parallel()
	const n, d, k = 3 * maxGaps, 3, 2 * maxGaps
	rng := rand.New(rand.NewPCG(15, 15))
	for _, kind := range []string{"smooth", "clustered", "signs"} {
		c := clipOf(t, kinds[kind](rng, n, d), 1, n, d)
		relevance, err := c.relevance(gaussian(rng, 1, d))
		if err != nil {
			t.Fatal(err)
		}
		g := groupsOf(c, ScopeFrame, relevance)[0]
		got := rowsOf(rediprune{alpha: 0.5}.pick(g, k))
		for i, want := range plainIncremental(g, 0.5, k) {
			if got[i] != want {
				t.Fatalf("%s: pick %d is row %d, want %d", kind, i, got[i], want)
			}
		}
	}
}

// plainIncremental is plain with a running minimum, of every row.
func plainIncremental(g group, alpha float32, k int) []int {
	picked := []int{mostRelevant(g.relevance, ascending(g.n))}
	nearest := make([]float32, g.n)
	for i := range nearest {
		nearest[i] = float32(math.Inf(1))
	}
	for {
		last := picked[len(picked)-1]
		if nearest[last] = float32(math.Inf(-1)); len(picked) == k {
			return picked
		}
		best := last
		for i := range nearest {
			nearest[i] = min(nearest[i], 1-dot(g.row(i), g.row(last)))
			if b := alpha * g.relevance[i]; nearest[i]+b > nearest[best]+alpha*g.relevance[best] {
				best = i
			}
		}
		picked = append(picked, best)
	}
}
