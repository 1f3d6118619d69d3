package infer

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/winnow-video/winnow/workflows/job"
)

func ptr[T any](x T) *T { return &x }

func TestOptionLogprobs(t *testing.T) {
	t.Parallel()
	half := math.Log(0.5)
	for name, test := range map[string]struct{ letters, want []*float64 }{
		"no options":       {nil, nil},
		"all known":        {[]*float64{ptr(-3.), ptr(-3.)}, []*float64{ptr(half), ptr(half)}},
		"one unknown":      {[]*float64{ptr(-3.), nil, ptr(-3.)}, []*float64{ptr(half), nil, ptr(half)}},
		"all unknown":      {[]*float64{nil, nil}, []*float64{nil, nil}},
		"all but hopeless": {[]*float64{ptr(-9999.), ptr(-1.)}, []*float64{ptr(-9998.), ptr(0.)}},
	} {
		if diff := cmp.Diff(test.want, optionLogprobs(test.letters), cmpopts.EquateApprox(0, 1e-4)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// What rounds to nothing is 0, and not -0, which JSON would tell.
func TestRounded(t *testing.T) {
	t.Parallel()
	for x, want := range map[float64]float64{-1e-9: 0, 1e-9: 0, -0.123449: -0.1234, 0.99996: 1} {
		if got := rounded(x); got != want || math.Signbit(got) != math.Signbit(want) {
			t.Errorf("%v becomes %v, want %v", x, got, want)
		}
	}
}

func TestBestOption(t *testing.T) {
	t.Parallel()
	if got := bestOption([]*float64{nil, ptr(-2.), ptr(-1.)}); got.Letter != "C" || got.Parse != job.ParseScore {
		t.Errorf("%+v, want C: what is unknown is less likely", got)
	}
	if got := bestOption([]*float64{nil, nil}); got.OptionIndex != nil || got.Parse != job.ParseUnparsed {
		t.Errorf("%+v, want no choice where nothing is known", got)
	}
}

// An option that was said and whose letter is unknown has no confidence.
func TestConfidenceOfUnknown(t *testing.T) {
	t.Parallel()
	said := job.Answer{OptionIndex: ptr(1)}
	if c := confidence(said, []*float64{ptr(0.), nil}, []float64{-1}); c != nil {
		t.Errorf("confidence %v, want none", *c)
	}
}

func TestDegraded(t *testing.T) {
	t.Parallel()
	r := job.Reply{OptionLogprobs: []*float64{ptr(0.), nil}, Answer: job.Answer{Parse: job.ParseUnparsed}}
	want := []string{job.DegradedTrimmed, job.DegradedLetters, job.DegradedUnparsed}
	if diff := cmp.Diff(want, degraded(&asked{trimmed: true}, r)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
