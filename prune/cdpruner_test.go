package prune

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Every pick multiplies the determinant by as much as any row could, recomputed
// from nothing in double precision; rows that add nothing are left to the fill.
func TestCDPrunerMaximisesTheDeterminant(t *testing.T) {
	t.Parallel()
	for kind, draw := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(21, uint64(len(kind))))
			for range 60 {
				n, d := 2+rng.IntN(12), 1+rng.IntN(16)
				c := clipOf(t, draw(rng, n, d), 1, n, d)
				relevance, err := c.relevance(gaussian(rng, 1, d))
				if err != nil {
					t.Fatal(err)
				}
				g := groupsOf(c, ScopeFrame, relevance)[0]
				checkDeterminants(t, g, cdpruner{}.pick(g, 1+rng.IntN(n-1)))
			}
		})
	}
}

func checkDeterminants(t *testing.T, g group, picks []pick) {
	t.Helper()
	weight := minMax(g.relevance)
	det := func(rows []int) float64 {
		m := make([][]float64, len(rows))
		for a, i := range rows {
			for _, j := range rows {
				m[a] = append(m[a], weight[i]*weight[j]*exactDot(g.row(i), g.row(j)))
			}
		}
		return determinantOf(m)
	}
	var taken []int
	before := 1.0
	for _, p := range picks {
		if p.score == 0 {
			break // from here on it fills
		}
		best := 0.0
		for i := range g.n {
			best = max(best, det(append(taken[:len(taken):len(taken)], i))/before)
		}
		taken = append(taken, p.row)
		own := det(taken)
		// What is lost to single precision grows as the determinant falls.
		if tolerance := 1e-4 + 1e-6/before; tolerance < 0.1 && (own/before < best-tolerance || math.Abs(own/before-float64(p.score)) > tolerance) {
			t.Fatalf("after %v of %d: gain %g, said to be %g, best %g", taken, g.n, own/before, p.score, best)
		}
		before = own
	}
}

// determinantOf is m's determinant by elimination with pivots.
func determinantOf(m [][]float64) float64 {
	det := 1.0
	for i := range m {
		pivot := i
		for r := i; r < len(m); r++ {
			if math.Abs(m[r][i]) > math.Abs(m[pivot][i]) {
				pivot = r
			}
		}
		if m[pivot][i] == 0 {
			return 0
		}
		if pivot != i {
			m[i], m[pivot] = m[pivot], m[i]
			det = -det
		}
		det *= m[i][i]
		for r := i + 1; r < len(m); r++ {
			factor := m[r][i] / m[i][i]
			for c := i; c < len(m); c++ {
				m[r][c] -= factor * m[i][c]
			}
		}
	}
	return det
}

// plainCDPruner is Chen et al.'s algorithm 1 row by row, nothing passed over.
func plainCDPruner(g group, k int) []int {
	if k == g.n {
		return ascending(g.n)
	}
	weight := minMax(g.relevance)
	kernel := func(i, j int) float64 { return weight[i] * weight[j] * float64(dot(g.row(i), g.row(j))) }
	gain, c := make([]float64, g.n), make([][]float32, g.n)
	for i := range gain {
		gain[i] = kernel(i, i)
	}
	var picked []int
	taken := map[int]bool{}
	for len(picked) < k {
		j := -1
		for i := range gain {
			if !taken[i] && gain[i] > leastGain && (j < 0 || gain[i] > gain[j]) {
				j = i
			}
		}
		if j < 0 {
			break
		}
		picked, taken[j] = append(picked, j), true
		for i := range gain {
			if !taken[i] {
				e := (kernel(i, j) - float64(dot(c[i], c[j]))) / math.Sqrt(gain[j])
				c[i] = append(c[i], float32(e))
				gain[i] -= e * e
			}
		}
	}
	for _, i := range plainOrder(g.relevance) {
		if len(picked) < k && !taken[i] {
			picked = append(picked, i)
		}
	}
	return picked
}

// plainOrder is all rows by relevance, the lower of equals first.
func plainOrder(relevance []float32) []int {
	var order []int
	for i, r := range relevance {
		at := 0
		for at < len(order) && relevance[order[at]] >= r {
			at++
		}
		order = append(order[:at], append([]int{i}, order[at:]...)...)
	}
	return order
}

func TestCDPrunerEqualsPlain(t *testing.T) {
	t.Parallel()
	for kind, draw := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(22, uint64(len(kind))))
			for trial := range 200 {
				n, d := 1+rng.IntN(40), 1+rng.IntN(20)
				c := clipOf(t, draw(rng, n, d), 1, n, d)
				relevance, err := c.relevance(gaussian(rng, 1, d))
				if err != nil {
					t.Fatal(err)
				}
				g, k := groupsOf(c, ScopeFrame, relevance)[0], 1+rng.IntN(n)
				if diff := cmp.Diff(plainCDPruner(g, k), rowsOf(cdpruner{}.pick(g, k))); diff != "" {
					t.Fatalf("trial %d: n %d, d %d, k %d: %s", trial, n, d, k, diff)
				}
			}
		})
	}
}

func TestCDPrunerByHand(t *testing.T) {
	t.Parallel()
	// Towards (1,0): relevances 1, 0.8, 0.6, 0; so these are the weights.
	c := clipOf(t, []float32{1, 0, 0.8, 0.6, 0.6, -0.8, 0, 1}, 1, 4, 2)
	s := selected(t, Options{Method: "cdpruner", Keep: 0.5, Scope: ScopeFrame}, c, []float32{1, 0})
	// After row 0: gains 0.64·(1−0.64) = 0.2304, 0.36·(1−0.36) = 0.2304 and 0, but for rounding.
	if s.Kept[0].Cell != 0 || s.Kept[0].Score != 1 || math.Abs(float64(s.Kept[1].Score)-0.2304) > 1e-6 || s.Kept[1].Cell == 3 {
		t.Errorf("kept %+v", s.Kept)
	}
	// Two directions span the plane: the third token is the most relevant of the rest.
	s = selected(t, Options{Method: "cdpruner", Keep: 0.75, Scope: ScopeFrame}, c, []float32{1, 0})
	if diff := cmp.Diff([]int{0, 1, 2}, s.Rows()); diff != "" {
		t.Error(diff)
	}
	// A query of zeros says nothing: the first token, then what is unlike it.
	s = selected(t, Options{Method: "cdpruner", Keep: 0.5, Scope: ScopeFrame}, c, []float32{0, 0})
	if diff := cmp.Diff([]int{0, 3}, s.Rows()); diff != "" {
		t.Error(diff)
	}
}
