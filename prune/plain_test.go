package prune

import (
	"math"
	"math/rand/v2"
	"sort"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/winnow-video/winnow/infer/tensor"
)

// plain is design §5 word by word: every score from scratch at every pick.
func plain(g group, alpha float32, tau float64, k int) []int {
	order := make([]int, g.n)
	for i := range order {
		order[i] = i
	}
	if k >= g.n {
		return order
	}
	byRelevance := append([]int{}, order...)
	sort.SliceStable(byRelevance, func(a, b int) bool {
		return g.relevance[byRelevance[a]] > g.relevance[byRelevance[b]]
	})
	candidates := order
	if tau > 0 && k < g.n/2 {
		candidates = byRelevance[:min(g.n, max(3*k, k+1))]
	} else if tau > 0 {
		var pass []int
		for _, i := range order {
			if g.relevance[i] >= float32(tau) {
				pass = append(pass, i)
			}
		}
		if candidates = pass; len(pass) < k {
			candidates = byRelevance[:k]
		}
	}
	first := candidates[0]
	for _, i := range candidates {
		if g.relevance[i] > g.relevance[first] {
			first = i
		}
	}
	return plainGreedy(g, candidates, first, func(i int) float32 { return alpha * g.relevance[i] }, k)
}

func plainGreedy(g group, candidates []int, first int, bonus func(int) float32, k int) []int {
	picked, taken := []int{first}, map[int]bool{first: true}
	for len(picked) < k {
		best, bestScore := -1, float32(math.Inf(-1))
		for _, i := range candidates {
			if taken[i] {
				continue
			}
			nearest := float32(math.Inf(1))
			for _, s := range picked {
				nearest = min(nearest, 1-dot(g.row(i), g.row(s)))
			}
			b := bonus(i)
			if score := nearest + b; score > bestScore {
				best, bestScore = i, score
			}
		}
		picked, taken[best] = append(picked, best), true
	}
	return picked
}

// relevance is the cosine of every row and the query, [T·P].
func (c *Clip) relevance(query []float32) ([]float32, error) {
	q, err := c.unitQuery(query)
	if err != nil {
		return nil, err
	}
	relevance := make([]float32, c.T*c.P)
	sweep(q, c.row, relevance)
	return relevance, nil
}

// groupsOf cuts the clip by scope into groups of equal size.
func groupsOf(c *Clip, scope Scope, relevance []float32) []group {
	n, count := scope.cut(c.T, c.P)
	groups := make([]group, count)
	for i := range groups {
		groups[i] = group{index: i, n: n, block: c.whole.part(i*n, n)}
		if relevance != nil {
			groups[i].relevance = relevance[i*n : (i+1)*n]
		}
	}
	return groups
}

func rowsOf(picks []pick) []int {
	rows := make([]int, len(picks))
	for i, p := range picks {
		rows[i] = p.row
	}
	return rows
}

// kinds draws tokens [n,d] of every sort that could trip a selection.
var kinds = map[string]func(rng *rand.Rand, n, d int) []float32{
	"gaussian": gaussian,
	"clustered": func(rng *rand.Rand, n, d int) []float32 {
		centres := gaussian(rng, 4, d)
		return rows(n, d, func(i, j int) float32 { return centres[i%4*d+j] + 0.05*float32(rng.NormFloat64()) })
	},
	"duplicated": func(rng *rand.Rand, n, d int) []float32 {
		few := gaussian(rng, 1+n/4, d)
		return rows(n, d, func(i, j int) float32 { return few[i%(1+n/4)*d+j] })
	},
	"signs": func(rng *rand.Rand, n, d int) []float32 { // ties everywhere
		return rows(n, d, func(int, int) float32 { return float32(rng.IntN(3) - 1) })
	},
	"zero rows": func(rng *rand.Rand, n, d int) []float32 {
		return rows(n, d, func(i, _ int) float32 { return float32(i%3) * float32(rng.NormFloat64()) })
	},
	"all zero": func(_ *rand.Rand, n, d int) []float32 { return make([]float32, n*d) },
	"all equal": func(_ *rand.Rand, n, d int) []float32 {
		return rows(n, d, func(_, j int) float32 { return float32(j) - 0.5 })
	},
	"smooth": func(rng *rand.Rand, n, d int) []float32 {
		phase := rng.Float64()
		return rows(n, d, func(i, j int) float32 { return float32(math.Sin(phase + float64(i)/9 + float64(j))) })
	},
	"opposed": func(_ *rand.Rand, n, d int) []float32 {
		return rows(n, d, func(i, j int) float32 { return float32(1-2*(i%2)) * float32(j+1) })
	},
	"tiny and huge": func(rng *rand.Rand, n, d int) []float32 {
		return rows(n, d, func(i, _ int) float32 { return float32(rng.NormFloat64() * math.Pow(10, float64(i%60-30))) })
	},
}

func gaussian(rng *rand.Rand, n, d int) []float32 {
	return rows(n, d, func(int, int) float32 { return float32(rng.NormFloat64()) })
}

func rows(n, d int, at func(i, j int) float32) []float32 {
	v := make([]float32, n*d)
	for i := range v {
		v[i] = at(i/d, i%d)
	}
	return v
}

func clipOf(t testing.TB, data []float32, shape ...int) *Clip {
	t.Helper()
	tokens, err := tensor.From(data, shape...)
	if err != nil {
		t.Fatal(err)
	}
	c, err := NewClip(tokens)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Lazy evaluation picks what the plain rule picks, in the same order.
func TestLazyEqualsPlain(t *testing.T) {
	t.Parallel()
	for kind, draw := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(1, uint64(len(kind))))
			for trial := range 400 {
				n, d := 1+rng.IntN(40), 1+rng.IntN(20)
				c := clipOf(t, draw(rng, n, d), 1, n, d)
				relevance, err := c.relevance(gaussian(rng, 1, 1+rng.IntN(2*d)))
				if err != nil {
					t.Fatal(err)
				}
				g := groupsOf(c, ScopeFrame, relevance)[0]
				r := rediprune{
					alpha: []float32{0, 0.5, 1, 30, -0.5}[rng.IntN(5)],
					tau:   []float64{0, -1, 1e-60, 0.05, 0.3, 2}[rng.IntN(6)],
				}
				k := 1 + rng.IntN(n)
				if diff := cmp.Diff(plain(g, r.alpha, r.tau, k), rowsOf(r.pick(g, k))); diff != "" {
					t.Fatalf("trial %d: n %d, d %d, k %d, %+v: %s", trial, n, d, k, r, diff)
				}
			}
		})
	}
}

// Nor do tiles of many rows change anything.
func TestLazyEqualsPlainOnLongClips(t *testing.T) {
	t.Parallel()
	for kind, draw := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(7, uint64(len(kind))))
			for _, n := range []int{240, 500, 1100, 2100} {
				d, k := 1+rng.IntN(12), 20+rng.IntN(60)
				c := clipOf(t, draw(rng, n, d), n/20, 20, d)
				relevance, err := c.relevance(gaussian(rng, 1, d))
				if err != nil {
					t.Fatal(err)
				}
				g := groupsOf(c, ScopeClip, relevance)[0]
				r := rediprune{alpha: 0.5}
				if diff := cmp.Diff(plain(g, r.alpha, 0, k), rowsOf(r.pick(g, k))); diff != "" {
					t.Fatalf("n %d, d %d, k %d: %s", n, d, k, diff)
				}
			}
		})
	}
}

func TestDiverseEqualsPlain(t *testing.T) {
	t.Parallel()
	for kind, draw := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(2, uint64(len(kind))))
			for trial := range 100 {
				n, d := 2+rng.IntN(30), 1+rng.IntN(20)
				g := groupsOf(clipOf(t, draw(rng, n, d), 1, n, d), ScopeFrame, nil)[0]
				k := 1 + rng.IntN(n-1)
				want := plainGreedy(g, ascending(n), plainLoneliest(g), func(int) float32 { return 0 }, k)
				if diff := cmp.Diff(want, rowsOf(diverse{}.pick(g, k))); diff != "" {
					t.Fatalf("trial %d: n %d, d %d, k %d: %s", trial, n, d, k, diff)
				}
			}
		})
	}
}

func plainLoneliest(g group) int {
	best, bestNearest := -1, float32(math.Inf(1))
	for i := range g.n {
		nearest := float32(math.Inf(-1))
		for j := range g.n {
			if j != i {
				nearest = max(nearest, dot(g.row(i), g.row(j)))
			}
		}
		if nearest < bestNearest {
			best, bestNearest = i, nearest
		}
	}
	return best
}

// Replayed in double precision, every pick's score is within 1e-5 of the best there was.
func TestPicksAreBestInDoublePrecision(t *testing.T) {
	t.Parallel()
	const alpha = 0.5
	for kind, draw := range kinds {
		rng := rand.New(rand.NewPCG(3, uint64(len(kind))))
		for range 20 {
			n, d := 2+rng.IntN(60), 1+rng.IntN(300)
			c := clipOf(t, draw(rng, n, d), 1, n, d)
			relevance, err := c.relevance(gaussian(rng, 1, d))
			if err != nil {
				t.Fatal(err)
			}
			g := groupsOf(c, ScopeFrame, relevance)[0]
			picked := rediprune{alpha: alpha}.pick(g, 1+rng.IntN(n-1))
			if worst := replay(g, rowsOf(picked), alpha); worst > 1e-5 {
				t.Errorf("%s, n %d, d %d: a pick is %g below the best", kind, n, d, worst)
			}
		}
	}
}

// replay is the most by which a pick's score fell short of the best at its turn.
func replay(g group, picked []int, alpha float64) float64 {
	worst := 0.0
	nearest := make([]float64, g.n)
	for i := range nearest {
		nearest[i] = math.Inf(1)
	}
	for turn, pick := range picked {
		best, own := math.Inf(-1), 0.0
		for i := range g.n {
			score := nearest[i] + alpha*float64(g.relevance[i])
			if turn == 0 {
				score = float64(g.relevance[i])
			}
			if i == pick {
				own = score
			}
			best = max(best, score)
		}
		worst = max(worst, best-own)
		for i := range g.n {
			nearest[i] = min(nearest[i], 1-exactDot(g.row(i), g.row(pick)))
		}
		nearest[pick] = math.Inf(-1)
	}
	return worst
}

func exactDot(a, b []float32) float64 {
	sum := 0.0
	for i := range a {
		sum += float64(a[i]) * float64(b[i])
	}
	return sum
}
