package grade

import (
	"fmt"
	"math"

	"github.com/winnow-video/winnow/workflows/job"
)

// verdict is one answer to options: what the model thought of each, and whether it was right.
type verdict struct {
	key
	video    int
	logprobs []float64 // of the options, natural logarithm
	chosen   int       // place in logprobs
	right    bool
}

// hear notes a record's log-probabilities. Options of which an engine did not
// tell are left out; an answer that is not among the rest is not noted.
func (s *Sheet) hear(k key, video int, r job.Record) {
	if r.Answer.OptionIndex == nil {
		return
	}
	v := verdict{key: k, video: video, chosen: -1, right: *r.Correct}
	for option, logprob := range r.OptionLogprobs {
		if logprob == nil {
			continue
		}
		if option == *r.Answer.OptionIndex {
			v.chosen = len(v.logprobs)
		}
		v.logprobs = append(v.logprobs, *logprob)
	}
	if v.chosen >= 0 && len(v.logprobs) > 1 {
		s.heard = append(s.heard, v)
	}
}

// confidence is the chosen option's share of softmax(logprobs / temperature), 0…1.
func (v verdict) confidence(temperature float64) float64 {
	most := math.Inf(-1)
	for _, x := range v.logprobs {
		most = max(most, x)
	}
	sum := 0.0
	for _, x := range v.logprobs {
		sum += math.Exp((x - most) / temperature)
	}
	return math.Exp((v.logprobs[v.chosen]-most)/temperature) / sum
}

// Calibration is how far a variant's confidences can be trusted.
type Calibration struct {
	Variant string  `json:"variant"`
	Answers int     `json:"answers"`
	Before  float64 `json:"ece_before"` // expected calibration error of the confidences as they are, 0…1
	// After is that error at a temperature fitted on other videos: videos are dealt
	// to two halves, and each is judged by the other's.
	After float64 `json:"ece_after"`
	// Temperature is fitted on all answers: softmax(option_logprobs / Temperature)
	// is the confidence to use.
	Temperature float64 `json:"temperature"`
}

// leastAnswers is how many answers a temperature is fitted on, at least.
const leastAnswers = 20

// Calibrate fits one temperature to a variant's answers by the likelihood of
// their being right, the confidence being its probability (temperature scaling,
// Guo et al., ICML 2017, by the chosen option alone: of wrong answers the records
// do not tell which option was right). The calibration error is the expected one
// of that paper, over 15 bins of equal width. It needs option_logprobs, which
// `generate.mode: score` gives, and gold answers.
func (s *Sheet) Calibrate(variant string) (Calibration, error) {
	var all []verdict
	var halves [2][]verdict
	for _, v := range s.heard {
		if v.variant == variant {
			all = append(all, v)
			halves[v.video%2] = append(halves[v.video%2], v)
		}
	}
	if min(len(halves[0]), len(halves[1])) < leastAnswers {
		return Calibration{}, fmt.Errorf(
			"%s: %d graded answers with option_logprobs, want at least %d in either half of the videos: add gold answers, or set generate.mode: score",
			variant, len(all), leastAnswers)
	}
	var judged bins
	for i, half := range halves {
		judged.add(half, temperature(halves[1-i]))
	}
	var before bins
	before.add(all, 1)
	return Calibration{
		Variant: variant, Answers: len(all),
		Before: before.error(), After: judged.error(), Temperature: temperature(all),
	}, nil
}

// temperature is that of the largest likelihood, between 0.05 and 20: the best of
// a row of them, then by golden section between its neighbours, over the logarithm.
// With one alternative its log-likelihood is that of a wrong answer: the loss is
// convex in 1/temperature, and so has one minimum over any scale of it. With more,
// log(1-p) is a difference of two such terms, and there may be several.
func temperature(verdicts []verdict) float64 {
	const points = 60
	low, high := math.Log(0.05), math.Log(20)
	at := func(i int) float64 { return low + (high-low)*float64(i)/(points-1) }
	best, least := 0, math.Inf(1)
	for i := range points {
		if l := loss(verdicts, math.Exp(at(i))); l < least {
			best, least = i, l
		}
	}
	return math.Exp(golden(at(max(best-1, 0)), at(min(best+1, points-1)), func(x float64) float64 { return loss(verdicts, math.Exp(x)) }))
}

// golden is where f is least between low and high, if it has one minimum there.
func golden(low, high float64, f func(float64) float64) float64 {
	ratio := (math.Sqrt(5) - 1) / 2
	for high-low > 1e-4 {
		a, b := high-ratio*(high-low), low+ratio*(high-low)
		if f(a) < f(b) {
			high = b
		} else {
			low = a
		}
	}
	return (low + high) / 2
}

// loss is the mean negative log-likelihood of the verdicts.
func loss(verdicts []verdict, temperature float64) float64 {
	const least = 1e-12 // no single answer outweighs all others
	sum := 0.0
	for _, v := range verdicts {
		p := v.confidence(temperature)
		if !v.right {
			p = 1 - p
		}
		sum -= math.Log(max(p, least))
	}
	return sum / float64(len(verdicts))
}

// bins sort answers by confidence; one on the edge of two belongs to the upper, and 1 to the last.
type bins [15]struct {
	n                 int
	confidence, right float64
}

func (b *bins) add(verdicts []verdict, temperature float64) {
	for _, v := range verdicts {
		p := v.confidence(temperature)
		bin := &b[min(int(p*float64(len(b))), len(b)-1)]
		bin.n++
		bin.confidence += p
		if v.right {
			bin.right++
		}
	}
}

// error is the mean distance of confidence and accuracy, by bin.
func (b *bins) error() float64 {
	sum, n := 0.0, 0
	for _, bin := range b {
		sum += math.Abs(bin.confidence - bin.right)
		n += bin.n
	}
	return sum / float64(n)
}
