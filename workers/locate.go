package workers

import (
	"context"
	"time"

	"github.com/winnow-video/winnow/workflows"
	"github.com/winnow-video/winnow/workflows/job"
)

// locate finds out what a video's content is, and so under which keys its clip
// and tokens lie or will lie.
func (s *stages) locate(ctx context.Context, in workflows.VideoInput) (workflows.Located, error) {
	began := time.Now()
	w, err := s.workOf(ctx, workflows.StageInput{VideoInput: in})
	if err != nil {
		return workflows.Located{}, err
	}
	item := w.items[0].item
	src, err := s.sources.Open(ctx, item.Video, w.spec.Limits.Bytes)
	if err != nil {
		s.failed(in, job.StageDecode, err)
		return workflows.Located{}, err
	}
	defer src.Close()
	out := workflows.Located{Keys: sharedKeys(src.ID(), item, w.spec, w.bundle, s.decoderBuild, s.cfg.Encoder)}
	if err := s.look(ctx, &out); err != nil {
		return workflows.Located{}, err
	}
	s.tellFound(in, out)
	out.Spent = spent(ctx, began)
	return out, nil
}

func (s *stages) look(ctx context.Context, out *workflows.Located) (err error) {
	if out.HaveTokens, err = s.has(ctx, out.Tokens); err != nil || out.HaveTokens {
		return err
	}
	out.HaveClip, err = s.has(ctx, out.Clip)
	return err
}

// tellFound counts the stages that an earlier run has spared this video.
func (s *stages) tellFound(in workflows.VideoInput, found workflows.Located) {
	if found.HaveClip || found.HaveTokens {
		s.tellStage(in, job.StageDecode, 1, 0, 1)
	}
	if found.HaveTokens {
		s.tellStage(in, job.StageEncode, 1, 0, 1)
	}
}
