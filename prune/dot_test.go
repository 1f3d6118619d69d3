package prune

import (
	"math"
	"math/rand/v2"
	"testing"
)

// Vector code and Go code give the same bits, whatever the length.
func TestVectorCodeEqualsGo(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(4, 4))
	for n := range 200 {
		v := gaussian(rng, 5, n)
		a, rows := v[:n], [4][]float32{v[n : 2*n], v[2*n : 3*n], v[3*n : 4*n], v[4*n:]}
		whole := n &^ (lanes - 1)
		four := dot4(a, &rows)
		for i, b := range rows {
			want := tail(dotLanesGo(a[:whole], b[:whole]), a[whole:], b[whole:])
			if got := dot(a, b); got != want || four[i] != want || dot(b, a) != want {
				t.Fatalf("%d wide: dot %g, the other way round %g, dot4 %g, want %g", n, got, dot(b, a), four[i], want)
			}
			if exact := exactDot(a, b); math.Abs(float64(want)-exact) > 1e-5*float64(n+1) {
				t.Fatalf("%d wide: %g, exactly %g", n, want, exact)
			}
		}
		if got, want := normLanes(a[:whole]), normLanesGo(a[:whole]); got != want {
			t.Fatalf("%d wide: sum of squares %g, want %g", n, got, want)
		}
		got, want := make([]float32, n), make([]float32, n)
		scale(got, a, 1/3.0)
		scaleGo(want, a, 1/3.0)
		for i := range want {
			if got[i] != want[i] {
				t.Fatalf("%d wide: scaled[%d] is %g, want %g", n, i, got[i], want[i])
			}
		}
	}
}

// What is too large or too small for a single, on the way or in the end, is the same as well.
func TestNormAtTheEdges(t *testing.T) {
	t.Parallel()
	for _, x := range []float32{math.MaxFloat32, math.SmallestNonzeroFloat32, 1e-30, float32(math.Inf(-1)), float32(math.NaN())} {
		v := make([]float32, 3*lanes)
		for i := range v {
			v[i] = x
		}
		if got, want := normLanes(v), normLanesGo(v); got != want && !(math.IsNaN(got) && math.IsNaN(want)) {
			t.Errorf("%g: sum of squares %g, want %g", x, got, want)
		}
		if got, want := normalise(v, v), !math.IsNaN(float64(x)) && !math.IsInf(float64(x), 0); got != want {
			t.Errorf("%g: finite %t, want %t", x, got, want)
		}
	}
}

func TestSweepEqualsDot(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(5, 5))
	const d = 37
	for n := range 12 {
		v, data := gaussian(rng, 1, d), gaussian(rng, n, d)
		out := make([]float32, n)
		sweep(v, func(i int) []float32 { return data[i*d : (i+1)*d] }, out)
		for i, got := range out {
			if want := dot(v, data[i*d:(i+1)*d]); got != want {
				t.Errorf("row %d of %d: %g, want %g", i, n, got, want)
			}
		}
	}
}

func TestQueueGivesTheHighestFirst(t *testing.T) {
	t.Parallel()
	negativeZero := float32(math.Copysign(0, -1))
	scores := []float32{0.5, -1, 0, negativeZero, 2.5, -3e38, 3e38, 0.5, -1e-40, 1e-40}
	q := queue{}
	for position, score := range scores {
		q = append(q, entryOf(score, position))
	}
	q.heapify()
	for _, want := range []int{6, 4, 0, 7, 9, 2, 3, 8, 1, 5} {
		if got := q.first(); got != want {
			t.Fatalf("position %d (%g), want %d (%g)", got, scores[got], want, scores[want])
		}
		q = q.drop()
	}
}
