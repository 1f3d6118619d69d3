package bundle

import (
	"context"
	"math"
)

// Inspection is what `winnow bundle inspect` prints.
type Inspection struct {
	Manifest   *Manifest `json:"manifest"`
	Digest     string    `json:"digest"`
	Bytes      int64     `json:"bytes"`       // all files
	Parameters int64     `json:"parameters"`  // of the matrices that run: tower, projector, decoder, embeddings, head
	KVBytes    int64     `json:"kv_bytes"`    // cache of one token, f16
	TextTokens int       `json:"text_tokens"` // assumed in Costs
	Costs      []Cost    `json:"costs"`
}

// Cost is the computing behind one answer about a clip of Frames frames.
type Cost struct {
	Frames    int             `json:"frames"`
	Keep      float64         `json:"keep"` // share of every frame's tokens kept
	Visual    int             `json:"visual"`
	Kept      int             `json:"kept"`
	Fits      bool            `json:"fits"` // the kept tokens and the text are within the context
	Encode    float64         `json:"encode"`
	Prefill   ConventionFLOPs `json:"prefill"`      // at Keep
	Unpruned  ConventionFLOPs `json:"unpruned"`     // prefill at keep 1
	BreakEven *float64        `json:"break_even"`   // questions from which a shared unpruned prefix is cheaper; null is never
	KVBytes   int64           `json:"kv_bytes"`     // of the prompt, f16
	KVFull    int64           `json:"kv_bytes_all"` // unpruned
}

// ConventionFLOPs is one count in both conventions.
type ConventionFLOPs struct {
	Real       float64 `json:"real"`
	Literature float64 `json:"literature"`
}

// Inspect verifies the bundle in dir and costs answers to questions of text
// tokens, for each of frames at each of keeps. Errors are those of Verify.
func Inspect(ctx context.Context, dir string, frames []int, keeps []float64, text int) (*Inspection, error) {
	m, digest, err := Verify(ctx, dir)
	if err != nil {
		return nil, err
	}
	out := &Inspection{
		Manifest: m, Digest: digest, TextTokens: text,
		Parameters: m.Dims.parameters(), KVBytes: m.Dims.Language.KVBytes(1, 2),
	}
	for _, file := range m.Files {
		out.Bytes += file.Size
	}
	for _, n := range frames {
		for _, keep := range keeps {
			out.Costs = append(out.Costs, m.cost(n, keep, text))
		}
	}
	return out, nil
}

// keptOf is K: how many of p tokens a keep ratio leaves, at least one.
func keptOf(p int, keep float64) int {
	return min(p, max(1, int(math.RoundToEven(float64(p)*keep))))
}

func (m *Manifest) cost(frames int, keep float64, text int) Cost {
	l := m.Dims.Language
	visual, kept := frames*m.Tokens(), frames*keptOf(m.Tokens(), keep)
	c := Cost{
		Frames: frames, Keep: keep, Visual: visual, Kept: kept, Fits: kept+text <= m.Context,
		Encode: m.Dims.Encode(frames), Prefill: l.prefills(kept + text), Unpruned: l.prefills(visual + text),
		KVBytes: l.KVBytes(kept+text, 2), KVFull: l.KVBytes(visual+text, 2),
	}
	if n := l.BreakEven(visual, kept, text); !math.IsInf(n, 1) {
		c.BreakEven = &n
	}
	return c
}

func (l LanguageDims) prefills(n int) ConventionFLOPs {
	return ConventionFLOPs{Real: l.Prefill(0, n), Literature: l.literature(n)}
}

// parameters counts the matrices, without biases and norms.
func (d Dims) parameters() int64 {
	v, l := d.Vision, d.Language
	tower := v.Layers*v.Hidden*(4*v.Hidden+2*v.Intermediate) + v.Patch*v.Hidden + v.Tokens*v.Hidden
	language := l.Layers*int(l.layerWeights()) + 2*l.Vocab*l.Hidden
	return int64(tower + language + d.projectorWeights())
}
