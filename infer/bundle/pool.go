package bundle

import (
	"errors"
	"fmt"
	"slices"

	"github.com/winnow-video/winnow/infer/tensor"
)

// PoolAfter is a model's pooling behind its projector: each of a frame's P rows
// is the weighted sum of at most four of the P′ rows that the projector makes of
// the tower's tokens. Tokens are selected pooled, but an MLP of a sum is no sum
// of MLPs: the projector has to read the tower's.
type PoolAfter struct {
	From   int          `json:"from"`   // P′, the tower's tokens of a frame
	Src    [][4]int     `json:"src"`    // [P,4], of P′
	Weight [][4]float32 `json:"weight"` // [P,4]; 0 is no source
}

func (p *PoolAfter) validate(tokens int) error {
	if p == nil {
		return nil
	}
	if len(p.Src) != tokens || len(p.Weight) != tokens {
		return fmt.Errorf("pool_after: %d sources and %d weights, want one of each of %d tokens", len(p.Src), len(p.Weight), tokens)
	}
	for i, sources := range p.Src {
		if slices.Min(sources[:]) < 0 || slices.Max(sources[:]) >= p.From {
			return fmt.Errorf("pool_after.src[%d]: %v: want 0 to %d", i, sources, p.From-1)
		}
	}
	return nil
}

// Projected is how many rows the projector reads for visual ones of frames, at
// most: pooled ones are made of up to four.
func (m *Manifest) Projected(frames, visual int) int {
	if m.PoolAfter == nil {
		return visual
	}
	return min(4*visual, frames*m.PoolAfter.From)
}

// Source is a row and its share of a weighted sum of rows.
type Source struct {
	Row    int
	Weight float32
}

// sources is what row i, of T·P, is made of, in rows of T·P′.
func (p *PoolAfter) sources(i int) []Source {
	frame, cell := i/len(p.Src), i%len(p.Src)
	var sources []Source
	for j, weight := range p.Weight[cell] {
		if weight != 0 {
			sources = append(sources, Source{frame*p.From + p.Src[cell][j], weight})
		}
	}
	return sources
}

// Pool makes the tokens [T,P,D] that are selected from of the tower's, [T,P′,D].
func (p *PoolAfter) Pool(tower tensor.Dense[tensor.Float16]) (tensor.Dense[tensor.Float16], error) {
	rows, err := p.rows(tower)
	if err != nil {
		return rows, err
	}
	d := rows.Shape[1]
	pooled := tensor.New[tensor.Float16](tower.Shape[0], len(p.Src), d)
	sum, row := make([]float32, d), make([]float32, d)
	for i := range tower.Shape[0] * len(p.Src) {
		clear(sum)
		for _, source := range p.sources(i) {
			tensor.Widen(row, rows.Row(source.Row))
			add(sum, row, source.Weight)
		}
		tensor.Narrow(pooled.Data[i*d:(i+1)*d], sum)
	}
	return pooled, nil
}

// rows is tower tokens [T,P′,D] as [T·P′,D].
func (p *PoolAfter) rows(tower tensor.Dense[tensor.Float16]) (tensor.Dense[tensor.Float16], error) {
	if s := tower.Shape; len(s) != 3 || s[1] != p.From {
		return tower, fmt.Errorf("tokens %v: want [T,%d,D], as the model pools behind its projector", []int(s), p.From)
	}
	return tensor.From(tower.Data, tower.Shape[0]*p.From, tower.Shape[2])
}

func add(sum, row []float32, weight float32) {
	for i, x := range row {
		sum[i] += weight * x
	}
}

// Mixture says which projected rows, by what weights, make each kept token:
// Weight[i] of row Row[i] goes into token Of[i]. Of ascends, without gaps.
type Mixture struct {
	Of, Row []int32
	Weight  []float32
}

// Mix is what the projector has to read for kept tokens, each made of rows of
// T·P: tower tokens [R,D], each once and ascending, and how they are mixed.
func (p *PoolAfter) Mix(tower tensor.Dense[tensor.Float16], kept [][]Source) (tensor.Dense[tensor.Float16], *Mixture, error) {
	m, used := &Mixture{}, []int{}
	for of, sources := range kept {
		for _, pooled := range sources {
			for _, source := range p.sources(pooled.Row) {
				used = append(used, source.Row)
				m.add(of, source.Row, pooled.Weight*source.Weight)
			}
		}
	}
	slices.Sort(used)
	used = slices.Compact(used)
	for i, row := range m.Row {
		at, _ := slices.BinarySearch(used, int(row))
		m.Row[i] = int32(at)
	}
	rows, err := p.rows(tower)
	if err != nil {
		return rows, nil, err
	}
	tokens, err := tensor.Gather(rows, used)
	return tokens, m, err
}

func (m *Mixture) add(of, row int, weight float32) {
	m.Of, m.Row, m.Weight = append(m.Of, int32(of)), append(m.Row, int32(row)), append(m.Weight, weight)
}

// The tensors of a kept artifact that hold a mixture, all [S].
const (
	mixOf     = "mix_of"
	mixRow    = "mix_row"
	mixWeight = "mix_weight"
)

// Put adds m to a kept artifact.
func (m *Mixture) Put(kept *tensor.File) {
	n := tensor.Shape{len(m.Of)}
	tensor.Put(kept, mixOf, tensor.Dense[int32]{Shape: n, Data: m.Of})
	tensor.Put(kept, mixRow, tensor.Dense[int32]{Shape: n, Data: m.Row})
	tensor.Put(kept, mixWeight, tensor.Dense[float32]{Shape: n, Data: m.Weight})
}

// GetMixture reads the mixture of tokens kept ones from a kept artifact of rows
// rows; nil if it has none: every row is a token then.
func GetMixture(kept *tensor.File, rows, tokens int) (*Mixture, error) {
	if _, has := kept.Tensors[mixOf]; !has {
		return nil, nil
	}
	of, err1 := tensor.Get[int32](kept, mixOf)
	row, err2 := tensor.Get[int32](kept, mixRow)
	weight, err3 := tensor.Get[float32](kept, mixWeight)
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, err
	}
	m := &Mixture{of.Data, row.Data, weight.Data}
	return m, m.validate(rows, tokens)
}

func (m *Mixture) validate(rows, tokens int) error {
	if len(m.Of) == 0 || len(m.Row) != len(m.Of) || len(m.Weight) != len(m.Of) {
		return fmt.Errorf("mixture of %d, %d and %d entries", len(m.Of), len(m.Row), len(m.Weight))
	}
	last := int32(-1) // a token that nothing goes into would be read as zeros
	for i, of := range m.Of {
		if of < last || of > last+1 || int(of) >= tokens || m.Row[i] < 0 || int(m.Row[i]) >= rows {
			return fmt.Errorf("mixture: entry %d puts row %d of %d into token %d of %d, behind token %d", i, m.Row[i], rows, of, tokens, last)
		}
		last = of
	}
	if int(last) != tokens-1 {
		return fmt.Errorf("mixture: nothing goes into the last tokens from %d on, of %d", last+1, tokens)
	}
	return nil
}

// Only is the mixture of some of its tokens, ascending, numbered anew.
func (m *Mixture) Only(tokens []int) *Mixture {
	out := &Mixture{}
	for i, of := range m.Of {
		if at, found := slices.BinarySearch(tokens, int(of)); found {
			out.add(at, int(m.Row[i]), m.Weight[i])
		}
	}
	return out
}

// Sum makes the tokens [M,E] that the language model sees of projected rows [R,E].
func (m *Mixture) Sum(rows tensor.Dense[float32], tokens int) tensor.Dense[float32] {
	out := tensor.New[float32](tokens, rows.Shape[1])
	for i, of := range m.Of {
		add(out.Row(int(of)), rows.Row(int(m.Row[i])), m.Weight[i])
	}
	return out
}
