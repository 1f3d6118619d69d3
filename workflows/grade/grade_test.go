package grade_test

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/winnow-video/winnow/workflows/grade"
	"github.com/winnow-video/winnow/workflows/job"
)

// answer is a graded record about a video.
func answer(variant, video string, right bool) job.Record {
	return job.Record{Variant: variant, Video: video, Status: job.StatusOK, Result: &job.Result{
		Correct: &right, Answer: job.Answer{Parse: job.ParseLetter},
	}}
}

func TestReportCountsEveryKindOfRecord(t *testing.T) {
	t.Parallel()
	var s grade.Sheet
	unparsed := answer("all", "c", false)
	unparsed.Answer.Parse = job.ParseUnparsed
	ungraded := answer("all", "d", true)
	ungraded.Correct = nil
	for _, r := range []job.Record{
		answer("all", "a", true), answer("all", "a", true), answer("all", "b", false), unparsed, ungraded,
		{Variant: "all", Video: "e", Status: job.StatusFailed, Failure: &job.Failure{}},
		{Variant: "none right", Video: "e", Status: job.StatusFailed, Failure: &job.Failure{}},
	} {
		s.Add(r)
	}
	got := s.Report("")
	parsed := 2.0 / 3
	want := []grade.Score{
		{Variant: "all", Right: 2, Graded: 4, Unparsed: 1, Ungraded: 1, Failed: 1, Accuracy: got[0].Accuracy, Parsed: &parsed},
		{Variant: "none right", Failed: 1},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	// p = 1/2; terms (2−1)/4, (0−½)/4, (0−½)/4; SE² = 3/2 · (1/16 + 1/64 + 1/64).
	margin := 1.96 * math.Sqrt(1.5*6/64)
	if a := got[0].Accuracy; a.Value != 0.5 || math.Abs(a.Low-max(0, 0.5-margin)) > 1e-12 || math.Abs(a.High-min(1, 0.5+margin)) > 1e-12 {
		t.Errorf("accuracy %+v, want 0.5 ± %g", *a, margin)
	}
}

func TestReportByMetadata(t *testing.T) {
	t.Parallel()
	s := grade.Sheet{By: "kind"}
	for i, metadata := range []string{`{"kind":"count"}`, `{"kind":"count"}`, `{"kind":3}`, `{}`, ``} {
		r := answer("v", fmt.Sprint(i), i != 1)
		r.Metadata = json.RawMessage(metadata)
		s.Add(r)
	}
	var got []string
	for _, score := range s.Report("") {
		got = append(got, fmt.Sprintf("%s %d/%d", score.Group, score.Right, score.Graded))
	}
	if diff := cmp.Diff([]string{"count 1/2", "3 1/1", " 2/2"}, got); diff != "" {
		t.Error(diff)
	}
}

// The interval of a difference knows that both variants answered the same
// questions: two that are right on the same ones differ by nothing, for certain.
func TestDifferenceIsPaired(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 1))
	var s grade.Sheet
	for i := range 400 {
		video, right := fmt.Sprint(i/4), rng.IntN(2) == 0
		s.Add(answer("base", video, right))
		s.Add(answer("same", video, right))
		s.Add(answer("better", video, right || rng.IntN(3) == 0))
		s.Add(answer("other", video, rng.IntN(2) == 0))
	}
	scores := s.Report("base")
	if scores[0].Difference != nil {
		t.Errorf("the base differs from itself: %+v", *scores[0].Difference)
	}
	if d := *scores[1].Difference; d != (grade.Share{}) {
		t.Errorf("equal answers: %+v", d)
	}
	if d := *scores[2].Difference; d.Low <= 0 || d.High-d.Low > 0.1 {
		t.Errorf("better on the same questions: %+v", d)
	}
	if d := *scores[3].Difference; d.Low >= 0 || d.High <= 0 || d.High-d.Low < 0.1 {
		t.Errorf("as good on its own questions: %+v", d)
	}
}

// Of a hundred samples about 95 intervals hold the true share, with questions
// about a video that are right or wrong together.
func TestIntervalsHoldTheTruth(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(2, 2))
	const truth, trials = 0.7, 400
	held := 0
	for range trials {
		var s grade.Sheet
		for video := range 80 {
			right := rng.Float64() < truth
			for range 1 + rng.IntN(5) {
				s.Add(answer("v", fmt.Sprint(video), right))
			}
		}
		if a := s.Report("")[0].Accuracy; a.Low <= truth && truth <= a.High {
			held++
		}
	}
	if share := float64(held) / trials; share < 0.9 || share > 0.985 {
		t.Errorf("%.1f %% of the intervals hold the true share, want about 95", 100*share)
	}
}

// scored is a record with log-probabilities of two options, of which the first is chosen.
func scored(video string, margin float64, right bool) job.Record {
	return chosen(video, right, -math.Log1p(math.Exp(-margin)), -math.Log1p(math.Exp(margin)))
}

// chosen is a record with these log-probabilities, and of one more option none; the first is chosen.
func chosen(video string, right bool, logprobs ...float64) job.Record {
	r, first, confidence := answer("v", video, right), 0, math.Exp(logprobs[0])
	for i := range logprobs {
		r.OptionLogprobs = append(r.OptionLogprobs, &logprobs[i])
	}
	r.OptionLogprobs, r.Confidence = append(r.OptionLogprobs, nil), &confidence
	r.Answer.OptionIndex = &first
	return r
}

// A model that is three times as sure as it may be gets a temperature of 3.
func TestCalibrateFindsTheTemperature(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(3, 3))
	var s grade.Sheet
	for i := range 4000 {
		margin := 3 * rng.Float64()
		right := rng.Float64() < 1/(1+math.Exp(-margin))
		s.Add(scored(fmt.Sprint(i), 3*margin, right))
	}
	c, err := s.Calibrate("v")
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(c.Temperature-3) > 0.3 || c.Before < 0.1 || c.After > 0.04 || c.Answers != 4000 {
		t.Errorf("%+v, want a temperature of 3 and an error that falls", c)
	}
}

// The loss of three options has a minimum near 0.63 here, and a lower one at 13.9.
func TestCalibrateFindsTheLowestMinimum(t *testing.T) {
	t.Parallel()
	var s grade.Sheet
	for i := range 20 { // of either half
		for range 6 {
			s.Add(chosen(fmt.Sprint(i), false, 0, -0.2, -5))
		}
		for range 4 {
			s.Add(chosen(fmt.Sprint(i), true, 0, -0.9))
		}
		for range 7 {
			s.Add(chosen(fmt.Sprint(i), true, 0, -70))
		}
	}
	c, err := s.Calibrate("v")
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(c.Temperature-13.89) > 0.05 {
		t.Errorf("a temperature of %.2f, want 13.89", c.Temperature)
	}
}

// A confidence between two bins is judged with the upper one's.
func TestCalibrationErrorBetweenBins(t *testing.T) {
	t.Parallel()
	half := []float64{0, 0} // 0.5 lies within its bin
	for _, c := range []struct {
		name         string
		right, wrong []float64 // log-probabilities of as many answers of either kind
		want         float64
	}{
		{name: "within one", right: half, wrong: half, want: 0},
		{name: "1/3 and above", right: []float64{0, 0, 0}, wrong: []float64{0, -math.Log(1.25), -math.Log(1.25)}, want: (1 - 1./3 - 5./13) / 2},
		{name: "1/3 and below", right: []float64{0, 0, 0}, wrong: []float64{0, math.Log(1.1), math.Log(1.1)}, want: (2./3 + 1/3.2) / 2},
		{name: "0 and 1", right: []float64{0, -800}, wrong: []float64{-800, 0}, want: 0},
		{name: "1 and 0", right: []float64{-800, 0}, wrong: []float64{0, -800}, want: 1},
	} {
		var s grade.Sheet
		for i := range 40 {
			s.Add(chosen(fmt.Sprint(i), true, c.right...))
			s.Add(chosen(fmt.Sprint(i), false, c.wrong...))
		}
		got, err := s.Calibrate("v")
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(got.Before-c.want) > 1e-9 {
			t.Errorf("%s: an error of %v, want %v", c.name, got.Before, c.want)
		}
	}
}

func TestCalibrateSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	var s grade.Sheet
	for i := range 60 {
		s.Add(answer("v", fmt.Sprint(i), true)) // no log-probabilities
	}
	if _, err := s.Calibrate("v"); err == nil || !strings.Contains(err.Error(), "v: 0 graded answers with option_logprobs") {
		t.Errorf("%v", err)
	}
}
