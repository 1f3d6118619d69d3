package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/winnow-video/winnow/infer"
	"github.com/winnow-video/winnow/infer/bundle"
	"github.com/winnow-video/winnow/infer/tensor"
	"github.com/winnow-video/winnow/workflows/job"
)

// decoder reads a prompt and says tokens to it, whatever they are.
type decoder struct {
	ctx    context.Context
	model  *infer.Decoder
	embeds tensor.Dense[float32]
	tokens int
}

func newDecoder(ctx context.Context, o order, engine infer.Engine, b *bundle.Bundle) (*decoder, error) {
	b.EOS = nil // no end before the last
	model, err := infer.NewDecoder(engine, b, infer.Limits{Rows: o.prompt + o.tokens, KV: 4 << 30})
	if err != nil {
		return nil, err
	}
	d := &decoder{ctx: ctx, model: model, tokens: o.tokens}
	if d.embeds, err = randomPrompt(b, o.prompt); err != nil {
		return nil, err
	}
	// The first pair allocates what later ones find.
	_, err = d.pair()
	return d, err
}

// randomPrompt is [length,E], the embeddings of ids drawn at random.
func randomPrompt(b *bundle.Bundle, length int) (tensor.Dense[float32], error) {
	random := rand.New(rand.NewPCG(1, 1))
	ids := make([]int32, length)
	for i := range ids {
		ids[i] = random.Int32N(int32(b.Dims.Language.Vocab))
	}
	return b.Embed(ids)
}

func (d *decoder) close() error { return d.model.Close() }

// answers are two to the same prompt: one of a single token, and one of all.
type answers struct{ first, all time.Duration }

func (d *decoder) pair() (a answers, err error) {
	if a.first, err = d.say(1); err != nil {
		return a, err
	}
	a.all, err = d.say(d.tokens)
	return a, err
}

func (d *decoder) say(n int) (time.Duration, error) {
	p := &infer.Prompt{Embeds: d.embeds, Generate: job.Generation{Mode: job.ModeGenerate, MaxTokens: n, TopP: 1}}
	began := time.Now()
	said := d.model.Say(d.ctx, []*infer.Prompt{p})[0]
	took := time.Since(began)
	switch {
	case said.Err != nil:
		return took, said.Err
	case len(said.IDs) != n:
		return took, fmt.Errorf("%d tokens said, want %d", len(said.IDs), n)
	}
	return took, nil
}

func (d *decoder) turn(length time.Duration) (figures, error) {
	pairs, err := d.pairs(length)
	if err != nil {
		return nil, err
	}
	prompt, token := d.medians(pairs)
	return figures{"prefill-ns": prompt, "token-ns": token}, nil
}

// pairs reads the prompt once before it counts: others had the caches.
func (d *decoder) pairs(length time.Duration) (pairs []answers, err error) {
	if _, err := d.say(1); err != nil {
		return nil, err
	}
	for until := time.Now().Add(length); time.Now().Before(until); {
		pair, err := d.pair()
		if err != nil {
			return nil, err
		}
		pairs = append(pairs, pair)
	}
	return pairs, nil
}

// medians are what a prompt and what a token takes, in nanoseconds. A token's
// time is that of those behind the first, which the prompt gives.
func (d *decoder) medians(pairs []answers) (prompt, token float64) {
	prompts, tokens := make([]time.Duration, len(pairs)), make([]time.Duration, len(pairs))
	for i, p := range pairs {
		prompts[i], tokens[i] = p.first, (p.all-p.first)/time.Duration(d.tokens-1)
	}
	return float64(median(prompts)), float64(median(tokens))
}
