package infer

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestExp(t *testing.T) {
	t.Parallel()
	for x := 0.0; x > -700; x -= 0.00137 {
		if got, want := exp(x), math.Exp(x); math.Abs(got-want) > 1e-8*want {
			t.Fatalf("e^%v is %v, want %v", x, got, want)
		}
	}
	if got := exp(-1e6); got != 0 {
		t.Errorf("e^-1e6 is %v", got)
	}
}

// Vector code and Go code give the same bits, whatever the number of logits and however far apart they lie.
func TestVectorCodeEqualsGo(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(4, 4))
	for n := range 100 {
		for _, spread := range []float32{1e-30, 1, 30, 300, 1e30, math.MaxFloat32} {
			logits := make([]float32, n*lanes)
			for i := range logits {
				logits[i] = spread * (2*rng.Float32() - 1)
			}
			top, ok := highestLanes(logits)
			if want, _ := highestGo(logits); top != want || !ok {
				t.Fatalf("%d lanes within %g: highest %g, finite %t, want %g", n, spread, top, ok, want)
			}
			var got, want [lanes]float64
			addExps(&got, logits, top)
			addExpsGo(&want, logits, top)
			if got != want {
				t.Fatalf("%d lanes within %g: %g, want %g", n, spread, got, want)
			}
		}
	}
}

// One logit that is not finite is found wherever it stands.
func TestHighestWantsFinite(t *testing.T) {
	t.Parallel()
	for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		for at := range 2*lanes + 3 {
			logits := make([]float32, 2*lanes+3)
			if _, ok := highest(logits); !ok {
				t.Fatal("zeros are refused")
			}
			logits[at] = float32(bad)
			if _, ok := highest(logits); ok {
				t.Errorf("%v in place %d is taken for a logit", bad, at)
			}
		}
	}
}

func TestSumExp(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(5, 5))
	for n := 1; n < 5*lanes; n++ {
		logits := make([]float32, n)
		for i := range logits {
			logits[i] = float32(10 * rng.NormFloat64())
		}
		top, _ := highest(logits)
		want := 0.0
		for _, x := range logits {
			want += math.Exp(float64(x - top))
		}
		if got := sumExp(logits, top); math.Abs(got-want) > 1e-8*want {
			t.Errorf("of %d: %v, want %v", n, got, want)
		}
	}
}
