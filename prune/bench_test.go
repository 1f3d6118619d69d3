package prune

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

func BenchmarkDot(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 1))
	v, w := gaussian(rng, 1, 1024), gaussian(rng, 1, 1024)
	b.SetBytes(4 * 2 * 1024)
	for b.Loop() {
		dot(v, w)
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

func BenchmarkNewClip(b *testing.B) {
	data := gaussian(rand.New(rand.NewPCG(3, 3)), 576, 1024)
	b.SetBytes(4 * 576 * 1024)
	for b.Loop() {
		clipOf(b, data, 1, 576, 1024)
	}
}
