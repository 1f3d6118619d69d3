package infer

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/winnow-video/winnow/infer/tensor"
	"github.com/winnow-video/winnow/workflows/job"
)

// utterance is what the decoder said to one prompt.
type utterance struct {
	first    []float32 // log-probabilities of the first token, [V]
	ids      []int32   // the answer, without its end token
	logprobs []float64 // of ids and of the end token, if it came
	ended    bool

	sampler *rand.Rand
}

// decode reads a batch of prompts and lets each be answered, token by token. All
// rows run until the last has ended; what ended rows say is not looked at.
func (a *Answerer) decode(batch []*prompt) ([]*utterance, error) {
	s := a.begin(batch)
	said := make([]*utterance, len(batch))
	for i, p := range batch {
		seed := p.question.Generate.Seed
		said[i] = &utterance{sampler: rand.New(rand.NewPCG(seed, seed))}
	}
	for step := 0; ; step++ {
		logits, err := s.run()
		if err != nil {
			return nil, err
		}
		next, open, err := a.take(batch, said, logits, step)
		if err != nil || !open {
			return said, err
		}
		if err := s.feed(next); err != nil {
			return nil, err
		}
	}
}

// take reads one step's logits [B,V]: the next ids to feed, and whether any row goes on.
func (a *Answerer) take(batch []*prompt, said []*utterance, logits tensor.Dense[float32], step int) (next []int32, open bool, err error) {
	next = make([]int32, len(batch))
	for i, p := range batch {
		u := said[i]
		if u.done(p.question.Generate) {
			continue
		}
		logprobs, ok := logSoftmax(logits.Row(i))
		if !ok {
			return nil, false, job.Fail(job.StageAnswer, job.ModelNotFinite, "the decoder returned NaN or infinity at token %d", step)
		}
		if step == 0 {
			u.first = logprobs
		}
		if p.question.Generate.Mode == job.ModeScore {
			u.ended = true
			continue
		}
		next[i] = pick(logprobs, p.question.Generate, u.sampler)
		u.say(next[i], logprobs, a.bundle.EOS)
		open = open || !u.done(p.question.Generate)
	}
	return next, open, nil
}

func (u *utterance) say(id int32, logprobs []float32, eos []int32) {
	u.logprobs = append(u.logprobs, float64(logprobs[id]))
	if slices.Contains(eos, id) {
		u.ended = true
		return
	}
	u.ids = append(u.ids, id)
}

func (u *utterance) done(g job.Generation) bool { return u.ended || len(u.ids) >= g.MaxTokens }

// decoding is the decoder's inputs between its steps.
type decoding struct {
	a     *Answerer
	in    *tensor.File
	width int // of the mask: past and rows of this step
	mask  []int64
	pos   []int64 // next position of every row
}

// begin lays prompts out as [B,L,E], padded on the left.
func (a *Answerer) begin(batch []*prompt) *decoding {
	length := 0
	for _, p := range batch {
		length = max(length, p.len())
	}
	e := a.bundle.Dims.Language.Hidden
	embeds := tensor.New[float32](len(batch), length, e)
	positions := tensor.New[int64](len(batch), length)
	s := &decoding{a: a, in: &tensor.File{}, width: length, mask: make([]int64, len(batch)*length), pos: make([]int64, len(batch))}
	for b, p := range batch {
		pad := length - p.len()
		copy(embeds.Data[(b*length+pad)*e:], p.embeds.Data)
		for i := range p.len() {
			positions.Data[b*length+pad+i] = int64(i)
			s.mask[b*length+pad+i] = 1
		}
		s.pos[b] = int64(p.len())
	}
	tensor.Put(s.in, "inputs_embeds", embeds)
	tensor.Put(s.in, "position_ids", positions)
	s.putMask()
	l := a.bundle.Dims.Language
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
	if err := s.a.decoder.Run(s.in, out); err != nil {
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
	rows, err := s.a.bundle.Embed(ids)
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
