package prune

import "math"

// gaps is what picks are apart from each other at least. A candidate near a pick
// is no nearer to another one that is twice as far from that pick: their
// similarity need not be taken. Where tokens change smoothly, as images do, that
// spares up to half of them; where nothing is alike it costs next to nothing.
//
// Apart means the chord between unit rows, √(2 − 2·similarity), which is the
// Euclidean distance and keeps the triangle inequality. It does so for rows below
// unit length as well: a coordinate of its own would make each of them unit and
// change no inner product. Similarities are rounded; slack is by how much 2·similarity
// may be off, so that what is spared never could have counted.
type gaps struct {
	picks int // that are told of: the first ones
	slack float64
	least []float32 // [picks,picks], both ways; 0 where nothing is known
}

// maxGaps bounds the memory of gaps, 256 KB, and the work, which grows with its square.
const maxGaps = 256

// newGaps is for k picks of rows [d].
func newGaps(k, d int) gaps {
	k = min(k, maxGaps)
	// A sum is off by 2⁻²⁴ of its size for each of the d/16 products of a lane, 4
	// foldings and 15 of the tail, and rows exceed unit length by less than 2⁻²³.
	return gaps{k, 2 * float64(d/lanes+32) * 0x1p-24, make([]float32, k*k)}
}

// chordSlack is more than what single precision takes from or adds to a chord on its way.
const chordSlack = 1e-6

// most is how far apart rows of this similarity are at most.
func (g *gaps) most(similarity float32) float32 {
	return float32(math.Sqrt(math.Max(0, 2-2*float64(similarity)+g.slack))) + chordSlack
}

// fewest is how far apart rows of this similarity are at least.
func (g *gaps) fewest(similarity float32) float32 {
	return float32(math.Sqrt(math.Max(0, 2-2*float64(similarity)-g.slack))) - chordSlack
}

// add tells of the next pick, the s-th, which has met all before it: it is as
// far from each as from the nearest, or as that one is less the way to it.
func (g *gaps) add(s int, b bound) {
	if s >= g.picks {
		return
	}
	least, way := g.fewest(b.similarity), g.most(b.similarity)
	nearest, own := g.least[int(b.nearest)*g.picks:], g.least[s*g.picks:]
	for p := range s {
		gap := max(least, nearest[p]-way)
		own[p], g.least[p*g.picks+s] = gap, gap
	}
}

// skip is b.met and those of the next picks that cannot be nearer than b.nearest.
func (g *gaps) skip(b bound) int32 {
	if b.similarity < 0.5 || int(b.nearest) >= g.picks { // no two rows are more than 2 apart
		return b.met
	}
	enough := 2 * g.most(b.similarity)
	met, gaps := b.met, g.least[int(b.nearest)*g.picks:][:g.picks]
	for int(met) < g.picks && gaps[met] >= enough {
		met++
	}
	return met
}
