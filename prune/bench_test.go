package prune

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/winnow-video/winnow/infer/tensor"
)

func BenchmarkDot4(b *testing.B) {
	v := gaussian(rand.New(rand.NewPCG(1, 1)), 5, 1024)
	rows := [4][]float32{v[1024:2048], v[2048:3072], v[3072:4096], v[4096:]}
	b.SetBytes(4 * 5 * 1024)
	for b.Loop() {
		dot4(v[:1024], &rows)
	}
}

// BenchmarkSelect is one question on a clip that is ready, on all cores.
func BenchmarkSelect(b *testing.B) {
	for _, size := range []struct {
		t, p, d int
		scope   Scope
	}{{1, 144, 1024, ScopeFrame}, {1, 576, 1024, ScopeFrame}, {8, 144, 128, ScopeFrame}, {32, 144, 1024, ScopeFrame}, {16, 144, 1024, ScopeClip}} {
		for _, kind := range []string{"gaussian", "clustered", "smooth"} {
			for _, method := range []string{"rediprune", "diverse"} {
				name := fmt.Sprintf("%s/%dx%dx%d/%s/%s", size.scope, size.t, size.p, size.d, kind, method)
				b.Run(name, func(b *testing.B) {
					rng := rand.New(rand.NewPCG(2, 2))
					c := clipOf(b, kinds[kind](rng, size.t*size.p, size.d), size.t, size.p, size.d)
					query := gaussian(rng, 1, size.d)
					o := Default()
					o.Method, o.Scope = method, size.scope
					b.ReportAllocs()
					for b.Loop() {
						selected(b, o, c, query)
					}
				})
			}
		}
	}
}

// BenchmarkFile is what bench/bench.py compares with the published code: a file
// of visual_tokens [T,P,D] and text_query, selected from by ReDiPrune at 0.15 as it
// is for a single question. WINNOW_BENCH_FILE names the file, WINNOW_BENCH_SCOPE
// the scope. What a further question takes of a clip that is kept ready is
// measured apart.
func BenchmarkFile(b *testing.B) {
	path := os.Getenv("WINNOW_BENCH_FILE")
	if path == "" {
		b.Skip("WINNOW_BENCH_FILE names no file")
	}
	tokens, query := benchFile(b, path)
	o := Default()
	o.Scope = Scope(cmp.Or(os.Getenv("WINNOW_BENCH_SCOPE"), string(ScopeFrame)))
	c, policy := &Clip{}, policyOf(b, o)
	var whole, further []time.Duration
	b.ReportAllocs()
	for b.Loop() {
		began := time.Now()
		if err := Open(c, tokens); err != nil {
			b.Fatal(err)
		}
		if _, err := policy.Select(c, query); err != nil {
			b.Fatal(err)
		}
		whole = append(whole, time.Since(began))
	}
	b.ReportMetric(0, "ns/op") // the median says more
	b.ReportMetric(float64(middle(whole).Nanoseconds()), "median-ns")
	b.ReportMetric(float64(c.memory()), "clip-bytes")
	if err := Refill(c, tokens); err != nil {
		b.Fatal(err)
	}
	for range len(whole) {
		began := time.Now()
		if _, err := policy.Select(c, query); err != nil {
			b.Fatal(err)
		}
		further = append(further, time.Since(began))
	}
	b.ReportMetric(float64(middle(further).Nanoseconds()), "further-ns")
	report(b, c, query, o)
}

// memory is what a clip holds of its own, bytes.
func (c *Clip) memory() int {
	floats := cap(c.whole.data)
	for _, room := range c.rooms.free {
		floats += cap(room)
	}
	return 4 * floats
}

func benchFile(b *testing.B, path string) (tensor.Dense[float32], []float32) {
	b.Helper()
	bytes, err := os.ReadFile(path)
	if err != nil {
		b.Fatal(err)
	}
	file, err := tensor.Decode(bytes)
	if err != nil {
		b.Fatal(err)
	}
	tokens, err := tensor.Floats(file, "visual_tokens")
	if err != nil {
		b.Fatal(err)
	}
	query, err := readQuery(file)
	if err != nil {
		b.Fatal(err)
	}
	return tokens, query
}

func middle(samples []time.Duration) time.Duration {
	slices.Sort(samples)
	return samples[len(samples)/2]
}

// report counts the similarities that the selection takes, those of the plain
// rule, and the rows that are read for them.
func report(b *testing.B, c *Clip, query []float32, o Options) {
	relevance, err := c.relevance(query)
	if err != nil {
		b.Fatal(err)
	}
	var taken, plain, read int
	for _, g := range groupsOf(c, o.Scope, relevance) {
		k := budget(g.n, o.Keep)
		plain += g.n + (k-1)*g.n - k*(k-1)/2 // the query's, and each pick's with the rest
		n, rows := audit(g, k, o)
		taken, read = taken+g.n+n, read+g.n+rows
	}
	b.ReportMetric(float64(taken), "similarities")
	b.ReportMetric(float64(plain), "plain-similarities")
	b.ReportMetric(float64(read), "rows-read")
}

// audit is greedy, counting the similarities it takes and the rows it reads.
func audit(g group, k int, o Options) (similarities, rows int) {
	bonus := make([]float32, g.n)
	for i, r := range g.relevance {
		bonus[i] = float32(o.Alpha) * r
	}
	first := mostRelevant(g.relevance, ascending(g.n))
	s := newSearch(g, ascending(g.n), pick{row: first}, bonus, k)
	similarities, rows = g.n, g.n+1
	for len(s.picked) < k {
		if s.take() {
			continue
		}
		if s.approach(); s.tile.n > 0 {
			similarities += s.tile.n * len(s.tile.picks)
			rows += s.tile.n + len(s.tile.picks)
		}
	}
	return similarities, rows
}
