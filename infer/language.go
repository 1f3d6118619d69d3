package infer

import (
	"context"

	"github.com/winnow-video/winnow/infer/tensor"
	"github.com/winnow-video/winnow/workflows/job"
)

// Language is a language model: prompts go in, what it says to them comes out.
// Decoder is one that runs here, infer/vllm one that is served elsewhere.
type Language interface {
	// Name is what records call it, with version and device.
	Name() string
	// Say answers prompts: one Said each, in their order. ctx bounds the waiting
	// for a server; what runs here is finished.
	Say(ctx context.Context, prompts []*Prompt) []Said
	// Close frees it. Nothing may be said any more.
	Close() error
}

// Prompt is what a language model reads and how it is to answer.
type Prompt struct {
	Embeds   tensor.Dense[float32] // [L,E]: text and projected visual rows
	Prefix   int                   // leading rows, fewer than L, with which other questions' prompts are likely to begin; 0: none
	Letters  []int32               // ids of the options' letters; none without options
	Generate job.Generation
}

// Len is L.
func (p *Prompt) Len() int { return p.Embeds.Rows() }

// Most is how many tokens may be said to it.
func (p *Prompt) Most() int {
	if p.Generate.Mode == job.ModeScore {
		return 0
	}
	return p.Generate.MaxTokens
}

// Utterance is what a language model said to one prompt. All log-probabilities
// are natural, over the vocabulary, and finite.
type Utterance struct {
	Letters  []*float64 // of Prompt.Letters as the first token; nil where unknown
	IDs      []int32    // the answer, without its end token
	Logprobs []float64  // of IDs and of the end token, if it came
}

// Said is an utterance, or why there is none.
type Said struct {
	*Utterance
	Err error
}
