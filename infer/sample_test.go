package infer

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/winnow-video/winnow/workflows/job"
)

func TestLogprobs(t *testing.T) {
	t.Parallel()
	s := scoresOf(t, 1000, 1000, -1000)
	half := float64(float32(math.Log(0.5)))
	for id, want := range []float64{half, half, float64(float32(half) - 2000)} {
		if got := s.logprob(int32(id)); got != want {
			t.Errorf("token %d: %v, want %v", id, got, want)
		}
	}
	for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		if _, ok := newScores([]float32{0, float32(bad)}); ok {
			t.Errorf("%v is taken for a logit", bad)
		}
	}
}

func scoresOf(t *testing.T, logits ...float32) scores {
	t.Helper()
	s, ok := newScores(logits)
	if !ok {
		t.Fatal("finite logits are refused")
	}
	return s
}

func TestPickGreedy(t *testing.T) {
	t.Parallel()
	if got := scoresOf(t, -3, -1, -2, -1).pick(job.Generation{TopP: 1}, nil); got != 1 {
		t.Errorf("token %d, want 1: the likeliest, the lowest of equals", got)
	}
}

// Shares 0.5, 0.3, 0.2 at temperature 1.
func TestPickSamples(t *testing.T) {
	t.Parallel()
	s := scoresOf(t, float32(math.Log(0.2)), float32(math.Log(0.5)), float32(math.Log(0.3)))
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
			got[s.pick(test.g, r)] += 1. / draws
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
	s := scoresOf(t, -1, -2, -3)
	g := job.Generation{MaxTokens: 2}
	u := &utterance{}
	u.say(1, s, []int32{2})
	if u.done(g) {
		t.Error("done after one token of two")
	}
	u.say(2, s, []int32{2})
	if diff := cmp.Diff([]int32{1}, u.IDs); diff != "" || !u.done(g) {
		t.Errorf("the end token belongs to the answer, or does not end it (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]float64{s.logprob(1), s.logprob(2)}, u.Logprobs); diff != "" {
		t.Errorf("log-probabilities (-want +got):\n%s", diff)
	}
}
