package infer

import (
	"fmt"

	"github.com/winnow-video/winnow/infer/bundle"
	"github.com/winnow-video/winnow/infer/tensor"
	"github.com/winnow-video/winnow/workflows/job"
)

// layout is how keys and values lie in memory: an array [B,Hkv,S,hd] of f32 for
// the keys and one for the values of every layer.
type layout struct {
	layers, heads, width int
	past, present        []string // what the graph calls the arrays that it reads and writes
}

func layoutOf(l bundle.LanguageDims) layout {
	of := layout{layers: l.Layers, heads: l.KVHeads, width: l.HeadDim}
	for i := range l.Layers {
		for _, what := range []string{"k", "v"} {
			of.past = append(of.past, fmt.Sprintf("past.%d.%s", i, what))
			of.present = append(of.present, fmt.Sprintf("present.%d.%s", i, what))
		}
	}
	return of
}

// values counts those of a number of positions, over all arrays.
func (l layout) values(positions int) int { return 2 * l.layers * l.heads * l.width * positions }

// bytes is what positions take.
func (l layout) bytes(positions int) int64 { return 4 * int64(l.values(positions)) }

// cut divides memory into the arrays of n prompts of s positions: k and v of the first layer, of the second, …
func (l layout) cut(memory []float32, n, s int) []tensor.Dense[float32] {
	arrays := make([]tensor.Dense[float32], 2*l.layers)
	shape := tensor.Shape{n, l.heads, s, l.width}
	size := n * l.heads * s * l.width
	for i := range arrays {
		arrays[i] = tensor.Dense[float32]{Shape: shape, Data: memory[i*size : (i+1)*size]}
	}
	return arrays
}

// put puts the arrays that memory is cut into, under names.
func (l layout) put(f *tensor.File, names []string, memory []float32, n, s int) {
	for i, a := range l.cut(memory, n, s) {
		tensor.Put(f, names[i], a)
	}
}

// columns is where one prompt's positions lie in a cache of n prompts of s
// positions: in row, from first on.
type columns struct {
	cache      []float32
	n, s       int
	row, first int
}

// stretch is the memory of count columns in one array, for one head.
func (c columns) stretch(l layout, array tensor.Dense[float32], head, count int) []float32 {
	at := ((c.row*l.heads+head)*c.s + c.first) * l.width
	return array.Data[at : at+count*l.width]
}

// move copies count columns.
func (l layout) move(to, from columns, count int) {
	into, out := l.cut(to.cache, to.n, to.s), l.cut(from.cache, from.n, from.s)
	for i := range into {
		for h := range l.heads {
			copy(to.stretch(l, into[i], h, count), from.stretch(l, out[i], h, count))
		}
	}
}

// clear makes count columns zeros: a mask does not hold off NaN.
func (l layout) clear(c columns, count int) {
	for _, a := range l.cut(c.cache, c.n, c.s) {
		for h := range l.heads {
			clear(c.stretch(l, a, h, count))
		}
	}
}

// decoding is the decoder's inputs and outputs between its steps.
type decoding struct {
	d          *Decoder
	in, out    tensor.File
	past, next []float32 // caches: the one that a step reads, and the one it writes
	width      int       // of the mask: past and rows of this step
	mask       []int64
	pos        []int64 // next position of every row
}

// begin lays prompts out for the first step, their prefixes' cache in place.
func (d *Decoder) begin(batch []*reading) (*decoding, error) {
	e := d.extent(batch...)
	past, next := d.claim(e)
	for b, r := range batch {
		if r.prefix == 0 {
			continue
		}
		prefix, err := d.recall(r)
		if err != nil {
			return nil, err
		}
		pad := e.head - r.prefix
		d.layout.clear(columns{past, e.n, e.head, b, 0}, pad)
		d.layout.move(columns{past, e.n, e.head, b, pad}, columns{prefix, 1, r.prefix, 0, 0}, r.prefix)
	}
	return d.lay(batch, e, past, next), nil
}

// claim is the memory of a batch's keys and values. It is held for the next
// batch, unless it is more than half of all: prefixes are worth more.
func (d *Decoder) claim(e extent) (past, next []float32) {
	all := int(e.bytes() / 4)
	if len(d.room) < all || 4*int64(len(d.room)) > d.limits.KV/2 {
		d.room = nil
		d.prefixes.shrink(d.limits.KV - e.bytes())
		d.room = make([]float32, all)
	}
	split := d.layout.values(e.n * e.past())
	return d.room[:split:split], d.room[split:all]
}

// lay lays prompts out as [B,L,E] behind prefixes of up to S rows. Both are
// padded on the left.
func (d *Decoder) lay(batch []*reading, e extent, past, next []float32) *decoding {
	hidden := d.bundle.Dims.Language.Hidden
	embeds := tensor.New[float32](e.n, e.tail, hidden)
	positions := tensor.New[int64](e.n, e.tail)
	s := &decoding{d: d, past: past, next: next, width: e.head + e.tail, pos: make([]int64, e.n)}
	s.mask = make([]int64, e.n*s.width)
	for b, r := range batch {
		rest := r.Len() - r.prefix
		pad := e.tail - rest
		copy(embeds.Data[(b*e.tail+pad)*hidden:], r.Embeds.Data[r.prefix*hidden:])
		for i := range rest {
			positions.Data[b*e.tail+pad+i] = int64(r.prefix + i)
		}
		mask := s.mask[b*s.width : (b+1)*s.width]
		ones(mask[e.head-r.prefix : e.head])
		ones(mask[e.head+pad:])
		s.pos[b] = int64(r.Len())
	}
	tensor.Put(&s.in, "inputs_embeds", embeds)
	tensor.Put(&s.in, "position_ids", positions)
	s.putMask()
	d.layout.put(&s.in, d.layout.past, past, e.n, e.head)
	return s
}

func ones(mask []int64) {
	for i := range mask {
		mask[i] = 1
	}
}

func (s *decoding) putMask() {
	tensor.Put(&s.in, "attention_mask", tensor.Dense[int64]{Shape: tensor.Shape{len(s.pos), s.width}, Data: s.mask})
}

// run makes one step: logits [B,V] of the last position, which the next step
// writes over. The cache that it wrote is the next step's to read.
func (s *decoding) run() (tensor.Dense[float32], error) {
	l := s.d.layout
	l.put(&s.out, l.present, s.next, len(s.pos), s.width)
	if err := s.d.graph.Run(&s.in, &s.out); err != nil {
		return tensor.Dense[float32]{}, ran(job.StageAnswer, err)
	}
	s.past, s.next = s.next, s.past
	l.put(&s.in, l.past, s.past, len(s.pos), s.width)
	logits, err := tensor.Get[float32](&s.out, "logits")
	if err != nil || len(logits.Shape) != 2 || logits.Shape[0] != len(s.pos) {
		return logits, contract(job.StageAnswer, "the decoder returned logits %v, want [%d,V]", logits.Shape, len(s.pos))
	}
	return logits, nil
}

// feed makes the ids, one a row, the next step's input.
func (s *decoding) feed(ids []int32) error {
	rows, err := s.d.bundle.Embed(ids)
	if err != nil {
		return err
	}
	n := len(s.pos)
	positions := tensor.New[int64](n, 1)
	copy(positions.Data, s.pos)
	mask := make([]int64, 0, n*(s.width+1))
	for b := range n {
		mask = append(append(mask, s.mask[b*s.width:(b+1)*s.width]...), 1)
		s.pos[b]++
	}
	s.mask, s.width = mask, s.width+1
	tensor.Put(&s.in, "inputs_embeds", tensor.Dense[float32]{Shape: tensor.Shape{n, 1, rows.Shape[1]}, Data: rows.Data})
	tensor.Put(&s.in, "position_ids", positions)
	s.putMask()
	return nil
}
