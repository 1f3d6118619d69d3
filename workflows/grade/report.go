package grade

import "math"

// Score is one line of a report: a variant's answers, within one group where
// the sheet has groups. Shares are 0…1.
type Score struct {
	Variant string `json:"variant"`
	Group   string `json:"group,omitempty"`

	Right    int `json:"right"`
	Graded   int `json:"graded"`   // answers to questions whose gold answer is known
	Unparsed int `json:"unparsed"` // of them, answers that name no option: graded as wrong
	Ungraded int `json:"ungraded"` // answers without a gold answer
	Failed   int `json:"failed"`   // items without an answer; they are in no share

	Accuracy *Share   `json:"accuracy,omitempty"` // nil without a graded answer
	Parsed   *float64 `json:"parsed,omitempty"`   // accuracy without the unparsed, where there are any
	// Difference is the accuracy less that of the base variant in the same group:
	// nil for the base itself and without one.
	Difference *Share `json:"difference,omitempty"`
}

// Share is a share, or a difference of two, and the ends of its 95 % interval.
type Share struct {
	Value float64 `json:"value"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
}

// Report sums the sheet up. base names the variant that others are compared
// with; "" is none.
//
// Intervals are ±1.96 standard errors clustered by video, since questions about
// one video are not independent (E. Miller, arXiv 2411.00640, eq. 4): with rᵥ right
// of nᵥ answers about video v, N = Σ nᵥ and p = Σ rᵥ / N,
//
//	SE² = G/(G−1) · Σᵥ ((rᵥ − p·nᵥ) / N)²
//
// over G videos. A difference takes the difference of two variants' terms under
// the square, and so is one on the same questions. With one video there is no
// interval; with a handful it is too narrow. Cost: O(lines · videos).
func (s *Sheet) Report(base string) []Score {
	scores := make([]Score, len(s.lines))
	for i, l := range s.lines {
		scores[i] = l.score()
		if b := s.byKey[key{base, l.group}]; b != nil && b != l {
			scores[i].Difference = difference(l, b)
		}
	}
	return scores
}

func (l *line) score() Score {
	all := l.total()
	score := Score{
		Variant: l.variant, Group: l.group, Right: all.right, Graded: all.graded,
		Unparsed: l.unparsed, Ungraded: l.ungraded, Failed: l.failed,
	}
	if all.graded == 0 {
		return score
	}
	score.Accuracy = share(all.share(), 0, l.terms())
	if parsed := all.graded - l.unparsed; l.unparsed > 0 && parsed > 0 {
		p := float64(all.right) / float64(parsed)
		score.Parsed = &p
	}
	return score
}

// difference is how much better l is than base.
func difference(l, base *line) *Share {
	own, other := l.total(), base.total()
	if own.graded == 0 || other.graded == 0 {
		return nil
	}
	terms := l.terms()
	for video, term := range base.terms() {
		terms[video] -= term
	}
	return share(own.share()-other.share(), -1, terms)
}

// total sums the videos up.
func (l *line) total() (sum count) {
	for _, c := range l.videos {
		sum.right += c.right
		sum.graded += c.graded
	}
	return sum
}

func (c count) share() float64 { return float64(c.right) / float64(c.graded) }

// terms is (rᵥ − p·nᵥ) / N by video.
func (l *line) terms() map[int]float64 {
	all := l.total()
	terms := make(map[int]float64, len(l.videos))
	for video, c := range l.videos {
		terms[video] = (float64(c.right) - all.share()*float64(c.graded)) / float64(all.graded)
	}
	return terms
}

// share is a value, least…1, and its interval.
func share(value, least float64, terms map[int]float64) *Share {
	sum, videos := 0.0, float64(len(terms))
	for _, term := range terms {
		sum += term * term
	}
	if videos < 2 {
		return &Share{value, least, 1}
	}
	margin := 1.96 * math.Sqrt(videos/(videos-1)*sum)
	return &Share{value, math.Max(least, value-margin), math.Min(1, value+margin)}
}
