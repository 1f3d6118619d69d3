package workers

import (
	"context"

	"github.com/winnow-video/winnow/infer/tensor"
	"github.com/winnow-video/winnow/workflows"
	"github.com/winnow-video/winnow/workflows/artifact"
	"github.com/winnow-video/winnow/workflows/job"
)

// standIn makes the tokens of a clip whose frames are shown as images: one a
// frame, [T,1,1], so that records tell frames and times as they do of any clip.
func (s *stages) standIn(ctx context.Context, in workflows.StageInput) error {
	body, err := s.cfg.Store.Get(ctx, in.Clip)
	if isGone(err) {
		return &missing{in.Clip}
	}
	if err != nil {
		return err
	}
	tokens, err := standIns(body)
	if err != nil {
		return job.Fail(job.StageEncode, job.ModelContract, "%s: %v", in.Clip, err)
	}
	content, err := tensor.Body(tokens)
	if err != nil {
		return err
	}
	_, err = s.cfg.Store.Put(ctx, in.Tokens, content, artifact.FirstWins)
	return err
}

func standIns(clip []byte) (*tensor.File, error) {
	file, err := tensor.Decode(clip)
	if err != nil {
		return nil, err
	}
	pts, err := tensor.Get[float64](file, "pts_s")
	if err != nil {
		return nil, err
	}
	ones := tensor.New[tensor.Float16](pts.Rows(), 1, 1)
	for i := range ones.Data {
		ones.Data[i] = tensor.ToFloat16(1)
	}
	out := &tensor.File{Metadata: file.Metadata, Tensors: map[string]tensor.Tensor{
		"index": file.Tensors["index"], "pts_s": file.Tensors["pts_s"],
	}}
	tensor.Put(out, "tokens", ones)
	return out, nil
}
