package workers

import (
	"context"
	"time"

	"github.com/winnow-video/winnow/workflows"
	"github.com/winnow-video/winnow/workflows/artifact"
	"github.com/winnow-video/winnow/workflows/job"
)

// locate finds out what a video's content is, and so under which keys its clip
// and tokens lie or will lie; and whether there is any use in making them.
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
		return workflows.Located{}, waited(err)
	}
	defer src.Close()
	out := workflows.Located{Keys: sharedKeys(src.ID(), item, w.spec, w.bundle, s.clipDecoder(), s.cfg.Encoder)}
	if err := s.look(ctx, w, &out); err != nil {
		return workflows.Located{}, err
	}
	if out.HaveTokens {
		out.Answered, err = s.answered(ctx, workflows.StageInput{VideoInput: in, Keys: out.Keys})
	} else {
		out.Failed, err = s.refusedBefore(ctx, w, out)
	}
	if err != nil {
		return workflows.Located{}, err
	}
	s.tellFound(in, out)
	out.Spent = spent(ctx, began)
	return out, nil
}

// answered is all of a video's items, if every one has its kept tokens and its answer.
func (s *stages) answered(ctx context.Context, in workflows.StageInput) ([]workflows.Item, error) {
	w, err := s.workOf(ctx, in)
	if err != nil {
		return nil, err
	}
	for _, key := range []func(task) artifact.Key{
		func(t task) artifact.Key { return t.answer },
		func(t task) artifact.Key { return t.kept },
	} {
		if _, todo, err := s.split(ctx, w.items, key); err != nil || len(todo) > 0 {
			return nil, err
		}
	}
	all := make([]workflows.Item, len(w.items))
	for i, t := range w.items {
		all[i] = t.Item
	}
	return all, nil
}

// look finds out what there is of a clip. A model that is shown frames needs
// the clip itself, to the end.
func (s *stages) look(ctx context.Context, w *work, out *workflows.Located) (err error) {
	if out.HaveTokens, err = s.has(ctx, out.Tokens); err != nil || out.HaveTokens && !w.bundle.Pictures() {
		return err
	}
	out.HaveClip, err = s.has(ctx, out.Clip)
	out.HaveTokens = out.HaveTokens && out.HaveClip
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
	if n := len(found.Answered); n > 0 {
		s.tellStage(in, job.StagePrune, n, 0, n)
		s.tellStage(in, job.StageAnswer, n, 0, n)
	}
}
