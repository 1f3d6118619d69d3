package infer

import (
	"bytes"
	"maps"

	"github.com/winnow-video/winnow/infer/bundle"
	"github.com/winnow-video/winnow/infer/tensor"
	"github.com/winnow-video/winnow/workflows/job"
)

// encodeBatch is how many frames the tower reads at a time; see batchShape.
const encodeBatch = 8

// Encoder turns frames into tokens.
type Encoder struct {
	tower  Graph
	size   int // H = W
	tokens int // P, or P′ where the model pools behind its projector
	width  int // D
}

// NewEncoder loads the bundle's tower. Close it.
func NewEncoder(engine Engine, b *bundle.Bundle) (*Encoder, error) {
	tower, err := engine.Load(b.Path(bundle.VisionFile))
	if err != nil {
		return nil, err
	}
	return &Encoder{tower: tower, size: b.Image.Size, tokens: b.TowerTokens(), width: b.Dims.Vision.Hidden}, nil
}

// Close frees the tower.
func (e *Encoder) Close() error { return e.tower.Close() }

// Encode turns a clip artifact, frames U8 [T,H,W,3], into a tokens artifact,
// tokens F16 [T,P,D], which keeps the clip's times and metadata. A clip that the
// tower does not take is a model/contract failure.
//
// Clips never share a batch, and the batches a clip is cut into follow from T
// alone: its tokens are the same, bit for bit, whatever else is encoded.
func (e *Encoder) Encode(clip *tensor.File) (*tensor.File, error) {
	frames, err := tensor.Get[uint8](clip, "frames")
	if err != nil {
		return nil, contract(job.StageEncode, "clip: %v", err)
	}
	if s := frames.Shape; len(s) != 4 || s[0] == 0 || s[1] != e.size || s[2] != e.size || s[3] != 3 {
		return nil, contract(job.StageEncode, "clip of frames %v, want [T,%d,%d,3]", s, e.size, e.size)
	}
	tokens := tensor.New[tensor.Float16](frames.Shape[0], e.tokens, e.width)
	for first := 0; first < frames.Shape[0]; first += encodeBatch {
		if err := e.batch(frames, tokens, first); err != nil {
			return nil, err
		}
	}
	out := &tensor.File{Metadata: maps.Clone(clip.Metadata)}
	tensor.Put(out, "tokens", tokens)
	for _, name := range []string{"index", "pts_s"} {
		if t, has := clip.Tensors[name]; has {
			t.Bytes = bytes.Clone(t.Bytes) // so that the clip's memory can go
			out.Tensors[name] = t
		}
	}
	return out, nil
}

// batch encodes the frames from first on, at most encodeBatch.
func (e *Encoder) batch(frames tensor.Dense[uint8], tokens tensor.Dense[tensor.Float16], first int) error {
	n := min(encodeBatch, frames.Shape[0]-first)
	made := tensor.New[tensor.Float16](batchShape(n), e.tokens, e.width)
	in, out := &tensor.File{}, &tensor.File{}
	tensor.Put(in, "pixels", e.pixels(frames, first, n))
	tensor.Put(out, "tokens", made)
	if err := e.tower.Run(in, out); err != nil {
		return ran(job.StageEncode, err)
	}
	frame := e.tokens * e.width
	if !finite(made.Data[:n*frame]) {
		return job.Fail(job.StageEncode, job.ModelNotFinite, "the tower returned NaN or infinity for frames %d to %d", first, first+n-1)
	}
	copy(tokens.Data[first*frame:], made.Data[:n*frame])
	return nil
}

// pixels is n frames from first on, padded with black ones to a batch's shape.
func (e *Encoder) pixels(frames tensor.Dense[uint8], first, n int) tensor.Dense[uint8] {
	frame, b := e.size*e.size*3, batchShape(n)
	data := frames.Data[first*frame : (first+n)*frame]
	if n < b {
		data = append(make([]uint8, 0, b*frame), data...)[:b*frame]
	}
	return tensor.Dense[uint8]{Shape: tensor.Shape{b, e.size, e.size, 3}, Data: data}
}

// batchShape is the least power of two from n on: the tower sees few shapes,
// and an image, which is a clip of one frame, costs one frame.
func batchShape(n int) int {
	b := 1
	for b < n {
		b *= 2
	}
	return b
}

// finite says whether no value is NaN or infinite: all exponent bits set.
func finite(values []tensor.Float16) bool {
	const exponent = 0x7c00
	for _, v := range values {
		if v&exponent == exponent {
			return false
		}
	}
	return true
}
