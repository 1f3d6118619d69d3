package infer

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/winnow-video/winnow/infer/bundle"
	"github.com/winnow-video/winnow/infer/tensor"
	"github.com/winnow-video/winnow/workflows/job"
)

// Limits bound what a Decoder holds at a time.
type Limits struct {
	Rows int   // read in one step, padding included: bounds what the graph computes with. One prompt may have more
	KV   int64 // bytes of keys and values, of what is being answered and of prefixes kept for what will be
}

// Validate names the field that cannot be.
func (l Limits) Validate() error {
	switch {
	case l.Rows < 1:
		return errors.New("rows: want at least 1")
	case l.KV < 1:
		return errors.New("bytes of keys and values: want at least 1")
	}
	return nil
}

// Decoder is the language model of a bundle's decoder.onnx. It may be asked from
// several goroutines; batches run one after another.
//
// The keys and values of a prompt's Prefix are kept for prompts that begin alike,
// in the same call or a later one: those read their own rows alone.
type Decoder struct {
	bundle *bundle.Bundle
	engine string
	graph  Graph
	limits Limits
	layout layout

	mu       sync.Mutex // held while something is said
	room     []float32  // for the running batch's keys and values
	prefixes prefixes
	held     atomic.Int64 // bytes of room and prefixes
}

// NewDecoder loads the bundle's decoder. Close it.
func NewDecoder(engine Engine, b *bundle.Bundle, limits Limits) (*Decoder, error) {
	if err := limits.Validate(); err != nil {
		return nil, fmt.Errorf("decoder: %w", err)
	}
	graph, err := engine.Load(b.Path(bundle.DecoderFile))
	if err != nil {
		return nil, err
	}
	return &Decoder{
		bundle: b, engine: engine.Name(), graph: graph, limits: limits,
		layout: layoutOf(b.Dims.Language), prefixes: newPrefixes(),
	}, nil
}

// Name implements Language.
func (d *Decoder) Name() string { return d.engine }

// Close implements Language.
func (d *Decoder) Close() error { return d.graph.Close() }

// KVBytes is what keys and values take now, of Limits.KV.
func (d *Decoder) KVBytes() int64 { return d.held.Load() }

// Say implements Language, in batches of prompts of like length. Where a batch
// fails, its prompts are tried one by one.
func (d *Decoder) Say(_ context.Context, prompts []*Prompt) []Said {
	d.mu.Lock()
	defer d.mu.Unlock()
	said := make([]Said, len(prompts))
	var all []*reading
	for i, p := range prompts {
		if err := d.fits(p); err != nil {
			said[i].Err = err
			continue
		}
		all = append(all, d.reading(p, i))
	}
	d.share(all)
	for _, batch := range d.split(all) {
		d.say(batch, said)
		d.held.Store(4*int64(len(d.room)) + d.prefixes.held)
	}
	return said
}

// fits refuses a prompt that takes more memory than there is even alone.
func (d *Decoder) fits(p *Prompt) error {
	need := d.extent(&reading{Prompt: p}).bytes()
	if need <= d.limits.KV {
		return nil
	}
	return job.Fail(job.StageAnswer, job.CapacityMemory,
		"the keys and values of %d prompt tokens and %d to answer take %d MiB, and winnow-infer's --kv-memory allows %d MiB: raise that, or $WINNOW_KV_MEMORY, or lower frames, prune.keep or generate.max_tokens",
		p.Len(), p.Most(), mebibytes(need), d.limits.KV>>20)
}

// mebibytes rounds up.
func mebibytes(n int64) int64 { return (n + 1<<20 - 1) >> 20 }

func (d *Decoder) say(batch []*reading, said []Said) {
	utterances, err := d.decode(batch)
	switch {
	case err == nil:
		for i, r := range batch {
			said[r.at].Utterance = &utterances[i].Utterance
		}
	case len(batch) == 1:
		said[batch[0].at].Err = err
	default:
		for i := range batch {
			d.say(batch[i:i+1], said)
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
func (d *Decoder) decode(batch []*reading) ([]*utterance, error) {
	s, err := d.begin(batch)
	if err != nil {
		return nil, err
	}
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
		if err == nil && step == 0 {
			d.retain(batch, s)
		}
		if err != nil || !open {
			return said, err
		}
		if err := s.feed(next); err != nil {
			return nil, err
		}
	}
}

// take reads one step's logits [B,V]: the next ids to feed, and whether any row goes on.
func (d *Decoder) take(batch []*reading, said []*utterance, logits tensor.Dense[float32], step int) (next []int32, open bool, err error) {
	next = make([]int32, len(batch))
	for i, p := range batch {
		u := said[i]
		if u.done(p.Generate) {
			continue
		}
		scores, ok := newScores(logits.Row(i))
		if !ok {
			return nil, false, notFinite(fmt.Sprintf("token %d", step))
		}
		if step == 0 {
			u.Letters = scores.logprobs(p.Letters)
		}
		if p.Generate.Mode == job.ModeScore {
			u.ended = true
			continue
		}
		next[i] = scores.pick(p.Generate, u.sampler)
		u.say(next[i], scores, d.bundle.EOS)
		open = open || !u.done(p.Generate)
	}
	return next, open, nil
}

// notFinite is the failure of a step whose logits are no numbers.
func notFinite(at string) *job.Failure {
	return job.Fail(job.StageAnswer, job.ModelNotFinite, "the decoder returned NaN or infinity at %s", at)
}

func (u *utterance) say(id int32, s scores, eos []int32) {
	u.Logprobs = append(u.Logprobs, s.logprob(id))
	if slices.Contains(eos, id) {
		u.ended = true
		return
	}
	u.IDs = append(u.IDs, id)
}

func (u *utterance) done(g job.Generation) bool { return u.ended || len(u.IDs) >= g.MaxTokens }
