package infer

import (
	"fmt"
	"maps"

	"github.com/winnow-video/winnow/infer/bundle"
	"github.com/winnow-video/winnow/infer/tensor"
	"github.com/winnow-video/winnow/workflows/job"
)

// encodeBatch is how many frames the tower reads at a time. It is fixed: a short
// batch is padded, so that a frame's tokens never depend on its batch-mates.
const encodeBatch = 8

// Encoder turns frames into tokens.
type Encoder struct {
	tower  Graph
	size   int // H = W
	tokens int // P
	width  int // D
}

// NewEncoder loads the bundle's tower.
func NewEncoder(engine Engine, b *bundle.Bundle) (*Encoder, error) {
	tower, err := engine.Load(b.Path(bundle.VisionFile))
	if err != nil {
		return nil, err
	}
	return &Encoder{tower: tower, size: b.Image.Size, tokens: b.Tokens(), width: b.Dims.Vision.Hidden}, nil
}

// Encode turns a clip artifact, frames U8 [T,H,W,3], into a tokens artifact,
// tokens F16 [T,P,D], which keeps the clip's times and metadata. A clip that the
// tower does not take is a model/contract failure.
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
	out := &tensor.File{Metadata: maps.Clone(clip.Metadata), Tensors: map[string]tensor.Tensor{}}
	for _, name := range []string{"index", "pts_s"} {
		if t, has := clip.Tensors[name]; has {
			out.Tensors[name] = t
		}
	}
	tensor.Put(out, "tokens", tokens)
	return out, nil
}

// batch encodes the frames from first on, at most encodeBatch.
func (e *Encoder) batch(frames tensor.Dense[uint8], tokens tensor.Dense[tensor.Float16], first int) error {
	frame, out := e.size*e.size*3, e.tokens*e.width
	n := min(encodeBatch, frames.Shape[0]-first)
	pixels := tensor.Dense[uint8]{Shape: tensor.Shape{encodeBatch, e.size, e.size, 3}, Data: frames.Data[first*frame:]}
	if n < encodeBatch {
		pixels.Data = append(make([]uint8, 0, encodeBatch*frame), pixels.Data...)[:encodeBatch*frame]
	}
	pixels.Data = pixels.Data[:encodeBatch*frame]
	in := &tensor.File{}
	tensor.Put(in, "pixels", pixels)
	result, err := e.tower.Run(in)
	if err != nil {
		return job.Fail(job.StageEncode, job.ModelError, "%v", err)
	}
	got, err := tensor.Get[tensor.Float16](result, "tokens")
	if err != nil || len(got.Data) != encodeBatch*out {
		return contract(job.StageEncode, "the tower returned tokens %v, want [%d,%d,%d]", got.Shape, encodeBatch, e.tokens, e.width)
	}
	if !finite(got.Data[:n*out]) {
		return job.Fail(job.StageEncode, job.ModelNotFinite, "the tower returned NaN or infinity for frames %d to %d", first, first+n-1)
	}
	copy(tokens.Data[first*out:], got.Data[:n*out])
	return nil
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

func contract(stage job.Stage, format string, args ...any) *job.Failure {
	return job.Fail(stage, job.ModelContract, "%s", fmt.Sprintf(format, args...))
}
