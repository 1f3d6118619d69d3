// Package vllm has a vLLM server answer prompts: it is an infer.Language.
//
// A prompt's rows [L,E] go out as prompt_embeds, a file as torch.save writes it
// (infer/torchfile), through infer/endpoint; token ids and log-probabilities
// come back. Projector and embeddings stay here, so tokens are pruned before
// the projector as they are for a decoder of the bundle's own.
//
// The server runs the extracted language model with --enable-prompt-embeds. It
// unpickles what it is sent, so it belongs on a private network.
package vllm

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/winnow-video/winnow/infer"
	"github.com/winnow-video/winnow/infer/bundle"
	"github.com/winnow-video/winnow/infer/endpoint"
	"github.com/winnow-video/winnow/infer/tensor"
	"github.com/winnow-video/winnow/infer/torchfile"
	"github.com/winnow-video/winnow/workflows/job"
)

// Config says where the server is and how rows are sent.
type Config struct {
	endpoint.Config
	DType tensor.DType // of rows on the wire: F16, BF16 or F32; default F16
}

// WithDefaults fills in what is not set.
func (c Config) WithDefaults() Config {
	c.Config = c.Config.WithDefaults()
	if c.DType == "" {
		c.DType = tensor.F16
	}
	return c
}

// Validate names what cannot be.
func (c Config) Validate() error {
	if c.DType != "" && c.DType != tensor.F16 && c.DType != torchfile.BF16 && c.DType != tensor.F32 {
		return fmt.Errorf("rows of type %q: want F16, BF16 or F32", c.DType)
	}
	return c.Config.Validate()
}

// Model is one model of a server.
type Model struct {
	server *endpoint.Endpoint
	bundle *bundle.Bundle
	dtype  tensor.DType
	name   string
}

// Open waits for the server, as long as there is patience, and looks whether it
// serves the bundle's language model and takes rows. Close it.
func Open(ctx context.Context, cfg Config, b *bundle.Bundle) (*Model, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.WithDefaults()
	m := &Model{bundle: b, dtype: cfg.DType}
	if err := m.connect(cfg.Config); err != nil {
		return nil, err
	}
	if err := m.check(ctx); err != nil {
		m.server.Close()
		return nil, fmt.Errorf("language model %s at %s: %w", b.Language.Model, m.server.Name(), err)
	}
	return m, nil
}

// connect opens the server, which is asked a prompt of one token where it fails on others.
func (m *Model) connect(cfg endpoint.Config) error {
	p, err := m.shortest()
	if err != nil {
		return err
	}
	if cfg.Probe, err = m.request(p); err != nil {
		return err
	}
	m.server, err = endpoint.Open(cfg)
	return err
}

// shortest is a prompt of one token.
func (m *Model) shortest() (*infer.Prompt, error) {
	embeds, err := m.bundle.Embed(m.bundle.EOS[:1])
	return &infer.Prompt{Embeds: embeds, Generate: job.Generation{Mode: job.ModeScore}}, err
}

// Name implements infer.Language.
func (m *Model) Name() string { return m.name }

// Close implements infer.Language.
func (m *Model) Close() error {
	m.server.Close()
	return nil
}

// Say implements infer.Language: all prompts at once; what is in flight is
// bounded by the endpoint, and batched by the server.
func (m *Model) Say(ctx context.Context, prompts []*infer.Prompt) []infer.Said {
	said := make([]infer.Said, len(prompts))
	var group sync.WaitGroup
	for i, p := range prompts {
		group.Go(func() { said[i].Utterance, said[i].Err = m.say(ctx, p) })
	}
	group.Wait()
	return said
}

func (m *Model) say(ctx context.Context, p *infer.Prompt) (*infer.Utterance, error) {
	request, err := m.request(p)
	if err != nil {
		return nil, err
	}
	var c completion
	if err := m.server.Ask(ctx, request, &c); err != nil {
		return nil, err
	}
	u, err := m.read(p, &c)
	if err != nil {
		return nil, job.Fail(job.StageAnswer, job.ModelContract, "the language server's answer: %v", err)
	}
	return u, nil
}

// check asks what the server is and has it answer a prompt of one token.
func (m *Model) check(ctx context.Context) error {
	if err := m.checkModel(ctx); err != nil {
		return err
	}
	var version struct{ Version string }
	if err := m.server.Ask(ctx, endpoint.Request{Path: "/version"}, &version); err != nil {
		return fmt.Errorf("/version: %w: is it vLLM?", err)
	}
	m.name = fmt.Sprintf("vllm %s prompt_embeds %s", version.Version, m.bundle.Language.Title())
	return m.checkRows(ctx)
}

func (m *Model) checkModel(ctx context.Context) error {
	window, err := m.server.Serves(ctx, m.bundle.Language.Model)
	if err == nil && window > 0 && window < m.bundle.Context {
		return fmt.Errorf("it is served with a context of %d tokens, the bundle's is %d: start the server with --max-model-len %d", window, m.bundle.Context, m.bundle.Context)
	}
	return err
}

// checkRows is the whole way, once: the server must take rows of the bundle's width.
func (m *Model) checkRows(ctx context.Context) error {
	p, err := m.shortest()
	if err != nil {
		return err
	}
	_, err = m.say(ctx, p)
	var failure *job.Failure
	if errors.As(err, &failure) && failure.Code == job.ModelError {
		return fmt.Errorf("%w: start it with --enable-prompt-embeds, as the model whose embeddings the bundle has", err)
	}
	return err
}
