package prune

import (
	"cmp"
	"math"
	"slices"
)

// newVidCom2 is VidCom² (arXiv 2505.14454): frames unlike the rest of the video
// get more of the budget, and every frame keeps its most unusual tokens. With
// g the mean of all V̂, gₜ that of frame t's, and the multi-scale Gaussian
//
//	G(v, g) = Σ exp(−‖v−g‖² / 2α) over α = 2⁻³, 2⁻², … 2¹,  0…5
//
// frame t's uniqueness is uₜ = −meanₚ G(V̂ₜₚ, g), its share of the budget
//
//	rₜ = keep·(1 + σₜ − 1/T),  σ = softmax(u / 0.01) over the frames, rₜ ≤ 1
//
// and a token's score sₜₚ = −G(V̂ₜₚ, g) − G(V̂ₜₚ, gₜ). Of every frame the rows of
// largest score are kept, the lower of equals.
//
// The published code rounds P·rₜ frame by frame. Here the frames' counts add up
// to the budget of the clip exactly, between 1 and P each; see apportion. A budget
// under T keeps T, one token a frame. The published code also looks only at the
// half of the channels in which its features vary least; a Clip holds unit
// rows, and all of their channels count.
//
// Cost: O(T·P·(D + log P)), O(T·(P + D)) memory.
func newVidCom2(o Options) Policy { return wholeClip{vidcom2, vidcom2Budget, o.Keep} }

// vidcom2Temperature is that of the softmax over the frames.
const vidcom2Temperature = 0.01

func vidcom2(c *Clip, keep float64) []pick {
	frames, video := c.centres()
	scores, uniqueness := make([]float32, c.T*c.P), make([]float64, c.T)
	spread(c.T, func(t int) {
		sum := 0.0
		for i := t * c.P; i < (t+1)*c.P; i++ {
			v := pointAt(c.row(i))
			toVideo := v.gaussian(video)
			scores[i] = float32(-toVideo - v.gaussian(frames[t]))
			sum += toVideo
		}
		uniqueness[t] = -sum / float64(c.P)
	})
	total := vidcom2Budget(c.T, c.P, keep)
	return c.best(scores, apportion(vidcom2Wants(uniqueness, c.P, keep), c.P, total))
}

func vidcom2Budget(t, p int, keep float64) int { return max(t, budget(t*p, keep)) }

// centres is the mean of every frame's unit rows, [T], and that of all.
func (c *Clip) centres() (frames []point, video point) {
	frames = make([]point, c.T)
	means := make([]float32, (c.T+1)*c.D)
	spread(c.T, func(t int) {
		mean := means[t*c.D : (t+1)*c.D]
		meanRow(mean, c.whole.part(t*c.P, c.P).data)
		frames[t] = pointAt(mean)
	})
	meanRow(means[c.T*c.D:], means[:c.T*c.D])
	return frames, pointAt(means[c.T*c.D:])
}

// meanRow sets dst [d] to the mean of rows [n,d], summed in double precision.
func meanRow(dst, rows []float32) {
	sum := make([]float64, len(dst))
	n := float64(len(rows) / len(dst))
	for ; len(rows) > 0; rows = rows[len(dst):] {
		for j, x := range rows[:len(dst)] {
			sum[j] += float64(x)
		}
	}
	for j, x := range sum {
		dst[j] = float32(x / n)
	}
}

// point is a vector [D] and its squared norm.
type point struct {
	at     []float32
	square float64
}

func pointAt(v []float32) point { return point{v, float64(dot(v, v))} }

// gaussian is G(v, g).
func (v point) gaussian(g point) float64 {
	distance := math.Max(0, v.square-2*float64(dot(v.at, g.at))+g.square) // squared
	sum := 0.0
	for alpha := 0.125; alpha <= 2; alpha *= 2 {
		sum += math.Exp(-distance / (2 * alpha))
	}
	return sum
}

// vidcom2Wants is P·rₜ for every frame, 0…P.
func vidcom2Wants(uniqueness []float64, p int, keep float64) []float64 {
	wants := make([]float64, len(uniqueness))
	most, sum := slices.Max(uniqueness), 0.0
	for t, u := range uniqueness {
		wants[t] = math.Exp((u - most) / vidcom2Temperature)
		sum += wants[t]
	}
	for t, w := range wants {
		r := keep * (1 + w/sum - 1/float64(len(wants)))
		wants[t] = float64(p) * math.Min(1, r)
	}
	return wants
}

// apportion rounds wants to whole counts between 1 and most that add up to
// total, len(wants) ≤ total ≤ len(wants)·most: every want is rounded down, then
// one is given to each in turn, largest remainder first, the first of equals,
// until total is reached, or taken in the other direction.
func apportion(wants []float64, most, total int) []int {
	counts, left := make([]int, len(wants)), total
	remainder := make([]float64, len(wants))
	for i, w := range wants {
		counts[i] = min(max(1, int(w)), most)
		remainder[i] = w - float64(counts[i])
		left -= counts[i]
	}
	turns := ascending(len(wants))
	slices.SortStableFunc(turns, func(a, b int) int { return cmp.Compare(remainder[b], remainder[a]) })
	for left > 0 {
		left -= adjust(counts, turns, +1, most, left)
	}
	slices.Reverse(turns)
	for left < 0 {
		left += adjust(counts, turns, -1, most, -left)
	}
	return counts
}

// adjust adds step to one count after the other, in the order of turns, where it
// stays between 1 and most, at most n times. It returns how many times it did.
func adjust(counts, turns []int, step, most, n int) (done int) {
	for _, i := range turns {
		if next := counts[i] + step; done < n && 1 <= next && next <= most {
			counts[i] = next
			done++
		}
	}
	return done
}
