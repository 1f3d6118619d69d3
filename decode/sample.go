package decode

import (
	"math"
	"slices"
	"sort"
)

// The strategies are defined, with their formulas, at job.Strategy. Here each is
// a function of the timeline alone; scene.go measures what StrategyScene goes by.

// window is the positions first..last-1 of a timeline.
type window struct{ first, last int }

func (w window) frames() int { return max(0, w.last-w.first) }

// window of the frames shown in start..end, both included.
func (t *timeline) window(start, end *float64) window {
	w := window{0, len(t.times)}
	if start != nil {
		w.first = sort.SearchFloat64s(t.times, *start)
	}
	if end != nil {
		w.last = sort.Search(len(t.times), func(i int) bool { return t.times[i] > *end })
	}
	return w
}

// uniform is job.StrategyUniform.
func uniform(w window, count int) []int {
	picks := linspace(w.frames(), min(count, w.frames()))
	for i := range picks {
		picks[i] += w.first
	}
	return picks
}

// linspace is numpy.linspace(0, total-1, n, dtype=int), its rounding included.
func linspace(total, n int) []int {
	picks := make([]int, n)
	if n < 2 {
		return picks
	}
	step := float64(total-1) / float64(n-1)
	for i := range picks {
		picks[i] = int(float64(i) * step)
	}
	picks[n-1] = total - 1
	return picks
}

// byRate is job.StrategyFPS, of times, from start seconds.
func byRate(times []float64, w window, start, fps float64, count int) []int {
	var picks []int
	for k := 0; ; k++ {
		at := start + float64(k)/fps
		if at > times[w.last-1]+clockSlack && k > 0 {
			return picks
		}
		// Containers round times, so a frame may begin a little after its instant.
		shown := sort.Search(w.last, func(i int) bool { return times[i] > at+clockSlack }) - 1
		shown = max(shown, w.first)
		if len(picks) == 0 || shown > picks[len(picks)-1] {
			picks = append(picks, shown)
		}
		if len(picks) > count {
			return uniform(w, count)
		}
	}
}

// clockSlack is what Matroska's clock of milliseconds rounds away, seconds.
const clockSlack = 0.0006

// byKey is job.StrategyKeyframes.
func byKey(t *timeline, w window, count int) []int {
	var keys []int
	for _, pts := range t.keys {
		if i := t.find(pts); w.first <= i && i < w.last {
			keys = append(keys, i)
		}
	}
	slices.Sort(keys)
	picks := linspace(len(keys), min(count, len(keys)))
	for i, k := range picks {
		picks[i] = keys[k]
	}
	return picks
}

// sceneScore is the least score of a frame that begins a scene, of 255.
const sceneScore = 10

// byScene is job.StrategyScene; scores are those of w's frames, as sceneScores measures them.
func byScene(scores []float64, w window, count int) []int {
	n := min(count, w.frames())
	var cuts []int
	for i, score := range scores {
		if i > 0 && score >= sceneScore {
			cuts = append(cuts, i)
		}
	}
	slices.SortStableFunc(cuts, func(a, b int) int { return int(math.Copysign(1, scores[b]-scores[a])) })
	picks := append([]int{0}, cuts[:min(n-1, len(cuts))]...)
	slices.Sort(picks)
	for len(picks) < n {
		picks = halveLongest(picks, w.frames())
	}
	for i := range picks {
		picks[i] += w.first
	}
	return picks
}

// halveLongest adds the middle of the longest stretch between two picks, or the
// last and the end; of equal ones of the earliest.
func halveLongest(picks []int, end int) []int {
	at, length := 0, 0
	for i, from := range picks {
		to := end
		if i+1 < len(picks) {
			to = picks[i+1]
		}
		if to-from > length {
			at, length = i, to-from
		}
	}
	return slices.Insert(picks, at+1, picks[at]+length/2)
}
