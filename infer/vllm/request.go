package vllm

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"

	"github.com/winnow-video/winnow/infer"
	"github.com/winnow-video/winnow/infer/endpoint"
	"github.com/winnow-video/winnow/infer/tensor"
	"github.com/winnow-video/winnow/infer/torchfile"
	"github.com/winnow-video/winnow/workflows/job"
)

// topLogprobs is how many log-probabilities a position has: a server allows no more by default.
const topLogprobs = 20

// settings are the fields of a completion request but for prompt_embeds. All
// that a server could take from the model's generation_config.json is set.
type settings struct {
	Model             string  `json:"model"`
	MaxTokens         int     `json:"max_tokens"`
	Temperature       float64 `json:"temperature"`
	TopP              float64 `json:"top_p"`
	TopK              int     `json:"top_k"` // -1: off, in every version
	MinP              float64 `json:"min_p"`
	RepetitionPenalty float64 `json:"repetition_penalty"`
	Seed              int64   `json:"seed"`
	Logprobs          int     `json:"logprobs"`
	StopTokenIDs      []int32 `json:"stop_token_ids"`
	TokensAsIDs       bool    `json:"return_tokens_as_token_ids"`
}

func (m *Model) settings(p *infer.Prompt) settings {
	s := settings{
		Model: m.bundle.Language.Model, MaxTokens: 1, TopP: 1, TopK: -1, RepetitionPenalty: 1,
		Logprobs: topLogprobs, StopTokenIDs: m.bundle.EOS, TokensAsIDs: true,
	}
	if g := p.Generate; g.Mode == job.ModeGenerate {
		s.MaxTokens, s.Temperature, s.TopP, s.Seed = g.MaxTokens, g.Temperature, g.TopP, int64(g.Seed)
	}
	return s
}

// request is a prompt on its way. Its rows are narrowed once and written out anew for every try.
func (m *Model) request(p *infer.Prompt) (endpoint.Request, error) {
	rows, err := torchfile.Narrow(p.Embeds, m.dtype)
	if err != nil {
		return endpoint.Request{}, job.Fail(job.StageAnswer, job.ModelNotFinite, "the prompt's rows: %v", err)
	}
	size, err := torchfile.Size(rows)
	if err != nil {
		return endpoint.Request{}, err
	}
	text, err := json.Marshal(m.settings(p))
	if err != nil {
		return endpoint.Request{}, err
	}
	head, tail := append(bytes.TrimSuffix(text, []byte("}")), `,"prompt_embeds":"`...), []byte(`"}`)
	return endpoint.Request{
		Path: "/v1/completions",
		Body: func() io.ReadCloser { return stream(head, rows, tail) },
		Size: int64(len(head)) + int64(base64.StdEncoding.EncodedLen(int(size))) + int64(len(tail)),
	}, nil
}

// stream is head, rows in base64, and tail. Closing it ends the writing.
func stream(head []byte, rows tensor.Tensor, tail []byte) io.ReadCloser {
	r, w := io.Pipe()
	go func() {
		encoder := base64.NewEncoder(base64.StdEncoding, w)
		_, err := w.Write(head)
		if err == nil {
			err = errors.Join(torchfile.Write(encoder, rows), encoder.Close())
		}
		if err == nil {
			_, err = w.Write(tail)
		}
		w.CloseWithError(err)
	}()
	return r
}
