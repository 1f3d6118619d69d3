package bundle

import (
	"cmp"
	"math"
)

// Dims are the widths and depths that computing and memory follow from.
type Dims struct {
	Vision    VisionDims   `json:"vision"`
	Projector []int        `json:"projector"` // widths of the MLP, from D to E
	Language  LanguageDims `json:"language"`
}

// VisionDims describes the layers of the tower that run, which may be fewer than it has.
type VisionDims struct {
	Tokens       int `json:"tokens"` // a frame, inside the tower: patches and CLS
	Patch        int `json:"patch"`  // values of one patch: 3·p²
	Layers       int `json:"layers"`
	Hidden       int `json:"hidden"` // D
	Intermediate int `json:"intermediate"`
}

// LanguageDims describes a Llama-style decoder.
type LanguageDims struct {
	Layers       int `json:"layers"`
	Hidden       int `json:"hidden"` // E
	Intermediate int `json:"intermediate"`
	Heads        int `json:"heads"`
	KVHeads      int `json:"kv_heads"`
	HeadDim      int `json:"head_dim"`
	Vocab        int `json:"vocab"`
}

// Convention names what a FLOP count counts.
type Convention string

// The conventions of records and reports.
const (
	// Real is two per multiply-add: tower, projector, causal prefill with
	// three-matrix SwiGLU, and decoding. Norms, softmax and RoPE are left out.
	Real Convention = "real"
	// Literature is T(4nd²+2n²d+2ndm) of FastV and its successors: the prefill
	// alone, attention not causal, two matrices in the MLP, one per multiply-add.
	Literature Convention = "literature"
)

// Work is what one answer takes.
type Work struct {
	Frames     int // encoded; 0 if the tokens were there
	Visual     int // rows in the prompt
	Projected  int // rows through the projector; 0: as many as Visual
	Prompt     int // L: text and visual rows
	Completion int // tokens decoded after the first
}

// FLOPs counts w under a convention.
func (d Dims) FLOPs(c Convention, w Work) float64 {
	if c == Literature {
		return d.Language.literature(w.Prompt)
	}
	return d.Encode(w.Frames) + d.Project(cmp.Or(w.Projected, w.Visual)) + d.Language.Prefill(0, w.Prompt) + d.Language.Decode(w.Prompt, w.Completion)
}

// Encode counts the tower over frames (real).
func (d Dims) Encode(frames int) float64 {
	v := d.Vision
	n, h := float64(v.Tokens), float64(v.Hidden)
	layer := n*(4*h*h+2*h*float64(v.Intermediate)) + 2*n*n*h
	return 2 * float64(frames) * (float64(v.Layers)*layer + n*float64(v.Patch)*h)
}

// Project counts the projector over rows (real).
func (d Dims) Project(rows int) float64 {
	return 2 * float64(rows) * float64(d.projectorWeights())
}

func (d Dims) projectorWeights() int {
	weights := 0
	for i := 1; i < len(d.Projector); i++ {
		weights += d.Projector[i-1] * d.Projector[i]
	}
	return weights
}

// Prefill counts reading n tokens behind past ones (real). The head runs once.
func (l LanguageDims) Prefill(past, n int) float64 {
	attended := float64(n)*float64(past) + float64(n)*float64(n)/2
	scores := 2 * attended * float64(l.Heads*l.HeadDim)
	return 2*float64(l.Layers)*(float64(n)*l.layerWeights()+scores) + l.head()
}

// Decode counts n further tokens behind a prompt, one at a time (real).
func (l LanguageDims) Decode(prompt, n int) float64 {
	var sum float64
	for i := range n {
		sum += l.Prefill(prompt+i, 1)
	}
	return sum
}

// Weights is the decoder's parameters: matrices, embedding table and head. Norms and biases are left out.
func (l LanguageDims) Weights() int64 {
	return int64(float64(l.Layers)*l.layerWeights()) + 2*int64(l.Hidden)*int64(l.Vocab)
}

// layerWeights is the parameters of one layer's matrices.
func (l LanguageDims) layerWeights() float64 {
	hidden, query, kv := float64(l.Hidden), float64(l.Heads*l.HeadDim), float64(l.KVHeads*l.HeadDim)
	return 2*hidden*query + 2*hidden*kv + 3*hidden*float64(l.Intermediate)
}

func (l LanguageDims) head() float64 { return 2 * float64(l.Hidden) * float64(l.Vocab) }

func (l LanguageDims) literature(tokens int) float64 {
	n, d, m := float64(tokens), float64(l.Hidden), float64(l.Intermediate)
	return float64(l.Layers) * (4*n*d*d + 2*n*n*d + 2*n*d*m)
}

// BreakEven is the number of questions on one clip from which an unpruned
// visual prefix, read once and shared, costs less than a pruned prompt for each
// (real, prefill alone). total and kept are visual tokens, text those of a
// question. +Inf: never.
func (l LanguageDims) BreakEven(total, kept, text int) float64 {
	saved := l.Prefill(0, kept+text) - l.Prefill(total, text)
	if saved <= 0 {
		return math.Inf(1)
	}
	return math.Ceil(l.Prefill(0, total) / saved)
}

// KVBytes is the cache of one prompt of n tokens, at bytes a value.
func (l LanguageDims) KVBytes(n, bytes int) int64 {
	return 2 * int64(l.Layers) * int64(l.KVHeads*l.HeadDim) * int64(n) * int64(bytes)
}
