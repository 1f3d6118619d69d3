package main

import (
	"context"
	"encoding/json"

	"github.com/winnow-video/winnow/infer/bundle"
	"github.com/winnow-video/winnow/infer/tensor"
	"github.com/winnow-video/winnow/workflows/artifact"
	"github.com/winnow-video/winnow/workflows/job"
)

// canned is a Store in which every kept artifact and every answer of every video
// is there, and the same. What belongs to jobs is the Store's below it.
type canned struct {
	artifact.Store
	kept, answer []byte
}

// newCanned makes artifacts of the size that the bundle's would have.
func newCanned(below artifact.Store, b *bundle.Manifest) (*canned, error) {
	kept, err := cannedKept(b)
	if err != nil {
		return nil, err
	}
	answer, err := json.Marshal(cannedReply(b))
	return &canned{below, kept, answer}, err
}

// Get implements artifact.Store.
func (c *canned) Get(ctx context.Context, key artifact.Key) ([]byte, error) {
	switch _, kind, _ := key.Derived(); kind {
	case artifact.KindKept:
		return c.kept, nil
	case artifact.KindAnswer:
		return c.answer, nil
	}
	return c.Store.Get(ctx, key)
}

// keptPerFrame is what a keep of 0.15 leaves of P tokens.
func keptPerFrame(b *bundle.Manifest) int { return b.Grid[0] * b.Grid[1] * 15 / 100 }

// cannedKept is what package workers reads of a kept artifact: tokens F16 [M,D],
// frame I32 and relevance F32 [M], index I64 and pts_s F64 [T].
func cannedKept(b *bundle.Manifest) ([]byte, error) {
	frames, k := b.Frames.Default, keptPerFrame(b)
	p, err := json.Marshal(b.Grid[0] * b.Grid[1])
	if err != nil {
		return nil, err
	}
	f := &tensor.File{Metadata: map[string]string{"P": string(p)}}
	index, pts := tensor.New[int64](frames), tensor.New[float64](frames)
	frame, relevance := tensor.New[int32](frames*k), tensor.New[float32](frames*k)
	for t := range frames {
		index.Data[t], pts.Data[t] = int64(12*t), 0.5*float64(t)
		for i := range k {
			frame.Data[t*k+i], relevance.Data[t*k+i] = int32(t), 0.25
		}
	}
	tensor.Put(f, "tokens", tensor.New[tensor.Float16](frames*k, b.Dims.Vision.Hidden))
	tensor.Put(f, "index", index)
	tensor.Put(f, "pts_s", pts)
	tensor.Put(f, "frame", frame)
	tensor.Put(f, "relevance", relevance)
	return tensor.Encode(f)
}

func cannedReply(b *bundle.Manifest) job.Reply {
	first, confidence := 0, 0.75
	return job.Reply{
		V: job.Version, Answer: job.Answer{Text: "A", OptionIndex: &first, Letter: "A", Parse: job.ParseLetter},
		OptionLogprobs: []*float64{&confidence, &confidence}, Confidence: &confidence,
		Tokens: job.Tokens{VisualTotal: b.Frames.Default * b.Grid[0] * b.Grid[1], VisualKept: b.Frames.Default * keptPerFrame(b), Prompt: 256, Completion: 1},
		FLOPs:  job.FLOPs{Convention: "real", Full: 100, Spent: 40}, Engine: "asleep",
	}
}
