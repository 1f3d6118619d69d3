package infer

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/winnow-video/winnow/infer/bundle"
	"github.com/winnow-video/winnow/infer/tensor"
	"github.com/winnow-video/winnow/workflows/job"
)

// Decoder is the language model of a bundle's decoder.onnx.
type Decoder struct {
	bundle *bundle.Bundle
	engine string
	graph  Graph
	rows   int // of one batch, padding included
}

// NewDecoder loads the bundle's decoder. rows bounds B·L of one batch, prompts
// and answers together, and so its memory; what is longer runs alone. Close it.
func NewDecoder(engine Engine, b *bundle.Bundle, rows int) (*Decoder, error) {
	graph, err := engine.Load(b.Path(bundle.DecoderFile))
	if err != nil {
		return nil, err
	}
	return &Decoder{bundle: b, engine: engine.Name(), graph: graph, rows: rows}, nil
}

// Name implements Language.
func (d *Decoder) Name() string { return d.engine }

// Close implements Language.
func (d *Decoder) Close() error { return d.graph.Close() }

// Say implements Language, in batches of prompts of like length. Where a batch
// fails, its prompts are tried one by one.
func (d *Decoder) Say(_ context.Context, prompts []*Prompt) []Said {
	said := make([]Said, len(prompts))
	for _, batch := range split(prompts, d.rows) {
		d.say(prompts, batch, said)
	}
	return said
}

// split sorts prompts by reach and cuts them, by their index, into batches of at most rows padded rows.
func split(prompts []*Prompt, rows int) [][]int {
	order := make([]int, len(prompts))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(x, y int) int { return prompts[x].reach() - prompts[y].reach() })
	var batches [][]int
	for len(order) > 0 {
		n := 1
		for n < len(order) && (n+1)*prompts[order[n]].reach() <= rows {
			n++
		}
		batches, order = append(batches, order[:n]), order[n:]
	}
	return batches
}

// reach is the rows of its cache when all is said.
func (p *Prompt) reach() int { return p.Len() + p.Most() }

func (d *Decoder) say(prompts []*Prompt, batch []int, said []Said) {
	together := make([]*Prompt, len(batch))
	for i, at := range batch {
		together[i] = prompts[at]
	}
	utterances, err := d.decode(together)
	switch {
	case err == nil:
		for i, at := range batch {
			said[at].Utterance = &utterances[i].Utterance
		}
	case len(batch) == 1:
		said[batch[0]].Err = err
	default:
		for _, at := range batch {
			d.say(prompts, []int{at}, said)
		}
	}
}

// utterance is one that is being made.
type utterance struct {
	Utterance
	ended   bool
	sampler *rand.Rand
}

// decode reads a batch of prompts and lets each be answered, token by token. All
// rows run until the last has ended; what ended rows say is not looked at.
func (d *Decoder) decode(batch []*Prompt) ([]*utterance, error) {
	s := d.begin(batch)
	said := make([]*utterance, len(batch))
	for i, p := range batch {
		seed := p.Generate.Seed
		said[i] = &utterance{sampler: rand.New(rand.NewPCG(seed, seed))}
	}
	for step := 0; ; step++ {
		logits, err := s.run()
		if err != nil {
			return nil, err
		}
		next, open, err := d.take(batch, said, logits, step)
		if err != nil || !open {
			return said, err
		}
		if err := s.feed(next); err != nil {
			return nil, err
		}
	}
}

// take reads one step's logits [B,V]: the next ids to feed, and whether any row goes on.
func (d *Decoder) take(batch []*Prompt, said []*utterance, logits tensor.Dense[float32], step int) (next []int32, open bool, err error) {
	next = make([]int32, len(batch))
	for i, p := range batch {
		u := said[i]
		if u.done(p.Generate) {
			continue
		}
		logprobs, ok := logSoftmax(logits.Row(i))
		if !ok {
			return nil, false, job.Fail(job.StageAnswer, job.ModelNotFinite, "the decoder returned NaN or infinity at token %d", step)
		}
		if step == 0 {
			u.Letters = at(logprobs, p.Letters)
		}
		if p.Generate.Mode == job.ModeScore {
			u.ended = true
			continue
		}
		next[i] = pick(logprobs, p.Generate, u.sampler)
		u.say(next[i], logprobs, d.bundle.EOS)
		open = open || !u.done(p.Generate)
	}
	return next, open, nil
}

// at is the log-probabilities of ids.
func at(logprobs []float32, ids []int32) []*float64 {
	found := make([]*float64, len(ids))
	for i, id := range ids {
		x := float64(logprobs[id])
		found[i] = &x
	}
	return found
}

func (u *utterance) say(id int32, logprobs []float32, eos []int32) {
	u.Logprobs = append(u.Logprobs, float64(logprobs[id]))
	if slices.Contains(eos, id) {
		u.ended = true
		return
	}
	u.IDs = append(u.IDs, id)
}

func (u *utterance) done(g job.Generation) bool { return u.ended || len(u.IDs) >= g.MaxTokens }

// decoding is the decoder's inputs between its steps.
type decoding struct {
	d     *Decoder
	in    *tensor.File
	width int // of the mask: past and rows of this step
	mask  []int64
	pos   []int64 // next position of every row
}

// begin lays prompts out as [B,L,E], padded on the left.
func (d *Decoder) begin(batch []*Prompt) *decoding {
	length := 0
	for _, p := range batch {
		length = max(length, p.Len())
	}
	e := d.bundle.Dims.Language.Hidden
	embeds := tensor.New[float32](len(batch), length, e)
	positions := tensor.New[int64](len(batch), length)
	s := &decoding{d: d, in: &tensor.File{}, width: length, mask: make([]int64, len(batch)*length), pos: make([]int64, len(batch))}
	for b, p := range batch {
		pad := length - p.Len()
		copy(embeds.Data[(b*length+pad)*e:], p.Embeds.Data)
		for i := range p.Len() {
			positions.Data[b*length+pad+i] = int64(i)
			s.mask[b*length+pad+i] = 1
		}
		s.pos[b] = int64(p.Len())
	}
	tensor.Put(s.in, "inputs_embeds", embeds)
	tensor.Put(s.in, "position_ids", positions)
	s.putMask()
	l := d.bundle.Dims.Language
	for i := range l.Layers {
		for _, part := range []string{"k", "v"} {
			tensor.Put(s.in, fmt.Sprintf("past.%d.%s", i, part), tensor.New[float32](len(batch), l.KVHeads, 0, l.HeadDim))
		}
	}
	return s
}

func (s *decoding) putMask() {
	tensor.Put(s.in, "attention_mask", tensor.Dense[int64]{Shape: tensor.Shape{len(s.pos), s.width}, Data: s.mask})
}

// run makes one step: logits [B,V] of the last position. The cache moves from its outputs to the next inputs.
func (s *decoding) run() (tensor.Dense[float32], error) {
	out := &tensor.File{}
	if err := s.d.graph.Run(s.in, out); err != nil {
		return tensor.Dense[float32]{}, ran(job.StageAnswer, err)
	}
	for name, t := range out.Tensors {
		if rest, isCache := strings.CutPrefix(name, "present."); isCache {
			s.in.Tensors["past."+rest] = t
		}
	}
	logits, err := tensor.Get[float32](out, "logits")
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
	tensor.Put(s.in, "inputs_embeds", tensor.Dense[float32]{Shape: tensor.Shape{n, 1, rows.Shape[1]}, Data: rows.Data})
	tensor.Put(s.in, "position_ids", positions)
	s.putMask()
	return nil
}
