package infer

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/winnow-video/winnow/workflows/job"
)

func TestLogSoftmax(t *testing.T) {
	t.Parallel()
	got, ok := logSoftmax([]float32{1000, 1000, -1000})
	if !ok {
		t.Fatal("finite logits are refused")
	}
	want := float32(math.Log(0.5))
	if got[0] != want || got[1] != want || got[2] != want-2000 {
		t.Errorf("%v, want %v twice and 2000 less", got, want)
	}
	for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		if _, ok := logSoftmax([]float32{0, float32(bad)}); ok {
			t.Errorf("%v is taken for a logit", bad)
		}
	}
}

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

func TestPickGreedy(t *testing.T) {
	t.Parallel()
	if got := pick([]float32{-3, -1, -2, -1}, job.Generation{TopP: 1}, nil); got != 1 {
		t.Errorf("token %d, want 1: the likeliest, the lowest of equals", got)
	}
}

// Shares 0.5, 0.3, 0.2 at temperature 1.
func TestPickSamples(t *testing.T) {
	t.Parallel()
	logprobs := []float32{float32(math.Log(0.2)), float32(math.Log(0.5)), float32(math.Log(0.3))}
	const draws = 20000
	for name, test := range map[string]struct {
		g    job.Generation
		want [3]float64
	}{
		"all of them":       {job.Generation{Temperature: 1, TopP: 1}, [3]float64{0.2, 0.5, 0.3}},
		"the nucleus":       {job.Generation{Temperature: 1, TopP: 0.7}, [3]float64{0, 0.625, 0.375}},
		"the first alone":   {job.Generation{Temperature: 1, TopP: 0.4}, [3]float64{0, 1, 0}},
		"half as sharp":     {job.Generation{Temperature: 0.5, TopP: 1}, [3]float64{4. / 38, 25. / 38, 9. / 38}},
		"nearly no warmth":  {job.Generation{Temperature: 0.01, TopP: 1}, [3]float64{0, 1, 0}},
		"nearly all warmth": {job.Generation{Temperature: 1e6, TopP: 1}, [3]float64{1. / 3, 1. / 3, 1. / 3}},
	} {
		r := rand.New(rand.NewPCG(1, 2))
		var got [3]float64
		for range draws {
			got[pick(logprobs, test.g, r)] += 1. / draws
		}
		for i := range got {
			if math.Abs(got[i]-test.want[i]) > 0.02 || test.want[i] == 0 && got[i] != 0 {
				t.Errorf("%s: shares %v, want %v", name, got, test.want)
				break
			}
		}
	}
}

func TestUtteranceEnds(t *testing.T) {
	t.Parallel()
	logprobs := []float32{-1, -2, -3}
	g := job.Generation{MaxTokens: 2}
	u := &utterance{}
	u.say(1, logprobs, []int32{2})
	if u.done(g) {
		t.Error("done after one token of two")
	}
	u.say(2, logprobs, []int32{2})
	if diff := cmp.Diff([]int32{1}, u.IDs); diff != "" || !u.done(g) {
		t.Errorf("the end token belongs to the answer, or does not end it (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]float64{-2, -3}, u.Logprobs); diff != "" {
		t.Errorf("log-probabilities (-want +got):\n%s", diff)
	}
}
