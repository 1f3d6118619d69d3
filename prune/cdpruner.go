package prune

import (
	"math"
	"slices"
)

// cdpruner keeps tokens that are relevant to the query and unlike each other by
// the determinant they span (CDPruner, arXiv 2506.10967): greedy MAP of a
// determinantal point process with the kernel conditioned on the query,
//
//	Lᵢⱼ = rᵢ·(V̂ᵢ·V̂ⱼ)·rⱼ,  r = (rel − min rel) / (max rel − min rel) within the group
//
// rel being V̂·q̂, where the publication has the cosines of a CLIP text tower. It
// takes, k times, the row of largest gain dᵢ = det L(S∪i) / det L(S), the lowest
// of equals, which begins with the most relevant one, and updates (Chen et al.,
// NeurIPS 2018, algorithm 1), j being the row taken:
//
//	eᵢ = (Lⱼᵢ − cⱼ·cᵢ) / √dⱼ,  cᵢ = [cᵢ eᵢ],  dᵢ = dᵢ − eᵢ²,  from dᵢ = Lᵢᵢ
//
// Where no gain is left above leastGain, the rows taken span all that is
// relevant; the most relevant of the rest fill the budget, the lower of equals.
// Where all rows are equally relevant r is 1: the query tells nothing, diversity
// remains. A token's score is its gain, 0…1, and 0 where it fills. Where all are
// kept none is scored.
//
// Cost: O(k·n·d + k²·n), O(k·n) memory.
type cdpruner struct{}

func newCDPruner(o Options) Policy { return newPicker(o, cdpruner{}) }

// leastGain is what a gain is told from rounding by: gains begin at 1 at most, and
// cosines are summed in single precision. The published code adds 1e-5 to them.
const leastGain = 1e-6

func (cdpruner) usesQuery() bool { return true }

func (cdpruner) pick(g group, k int) []pick {
	if k == g.n {
		return unscored(ascending(g.n))
	}
	d := newDeterminant(g, k)
	picks := make([]pick, 0, k)
	for len(picks) < k {
		row := d.largest()
		if d.gain[row] <= leastGain {
			break
		}
		picks = append(picks, pick{row, float32(d.gain[row])})
		d.take(row)
	}
	for _, row := range top(g.relevance, g.n) {
		if len(picks) < k && !d.taken[row] {
			picks = append(picks, pick{row: row})
		}
	}
	return picks
}

// determinant is det L(S) as it grows row by row.
type determinant struct {
	g      group
	weight []float64 // [n], r
	gain   []float64 // [n], d; -1 once taken
	taken  []bool    // [n]
	factor []float32 // [n,k], row i is cᵢ: filled up to size
	cosine []float32 // [n], of all rows with the one being taken
	k      int
	size   int // of S
}

func newDeterminant(g group, k int) *determinant {
	d := &determinant{
		g: g, weight: minMax(g.relevance), gain: make([]float64, g.n),
		taken: make([]bool, g.n), factor: make([]float32, g.n*k), cosine: make([]float32, g.n), k: k,
	}
	for i := range d.gain {
		d.gain[i] = d.kernel(i, i, dot(g.row(i), g.row(i)))
	}
	return d
}

// minMax scales v to 0…1; where all are equal they become 1.
func minMax(v []float32) []float64 {
	least, most := float64(slices.Min(v)), float64(slices.Max(v))
	scaled := make([]float64, len(v))
	for i, x := range v {
		scaled[i] = 1
		if most > least {
			scaled[i] = (float64(x) - least) / (most - least)
		}
	}
	return scaled
}

// kernel is Lᵢⱼ of two rows and their cosine. Like every product here it is
// rounded on its own, so that no platform fuses it into a sum.
func (d *determinant) kernel(i, j int, cosine float32) float64 {
	return float64(float64(d.weight[i]*d.weight[j]) * float64(cosine))
}

// largest is the row of largest gain, the lowest of equals.
func (d *determinant) largest() int {
	best := 0
	for i, gain := range d.gain {
		if gain > d.gain[best] {
			best = i
		}
	}
	return best
}

// take moves a row into S. Rows without a gain are passed over: gains only fall.
func (d *determinant) take(row int) {
	root := math.Sqrt(d.gain[row])
	d.gain[row], d.taken[row] = -1, true
	own := d.factor[row*d.k : row*d.k+d.size]
	sweep(d.g.row(row), d.g.row, d.cosine)
	for i, gain := range d.gain {
		if gain <= leastGain {
			continue
		}
		c := d.factor[i*d.k : i*d.k+d.size+1]
		e := (d.kernel(row, i, d.cosine[i]) - float64(dot(c[:d.size], own))) / root
		c[d.size] = float32(e)
		d.gain[i] -= float64(e * e)
	}
	d.size++
}
