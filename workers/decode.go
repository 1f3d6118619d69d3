package workers

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"path"
	"slices"
	"time"

	"github.com/winnow-video/winnow/decode/client"
	"github.com/winnow-video/winnow/decode/wire"
	"github.com/winnow-video/winnow/infer/bundle"
	"github.com/winnow-video/winnow/workers/source"
	"github.com/winnow-video/winnow/workflows"
	"github.com/winnow-video/winnow/workflows/artifact"
	"github.com/winnow-video/winnow/workflows/job"
)

// probeDecoder asks winnow-decode for its build, on which every clip depends.
func (s *stages) probeDecoder(ctx context.Context) error {
	if !slices.Contains(s.cfg.Queues, workflows.QueueMain) && !slices.Contains(s.cfg.Queues, workflows.QueueDecode) {
		return nil
	}
	build, err := s.decoder().Build(ctx)
	if err != nil {
		return fmt.Errorf("worker: DecodePath: %w", err)
	}
	s.decoderBuild = build
	return nil
}

// decode makes a video's clip in a child process. Of several Videos that want
// the same clip in this process, one decodes. The first to know how many frames
// there are, it says so where no question about them fits the model's context.
func (s *stages) decode(ctx context.Context, in workflows.StageInput) (workflows.Decoded, error) {
	began := time.Now()
	unlock, err := s.decoding.lock(ctx, string(in.Clip))
	if err != nil {
		return workflows.Decoded{}, err
	}
	defer unlock()
	out, cached, err := s.decodeOnce(ctx, in)
	if err != nil {
		s.failed(in.VideoInput, job.StageDecode, err)
		return workflows.Decoded{}, err
	}
	s.tellStage(in.VideoInput, job.StageDecode, 1, 0, cached)
	fetched := out.BytesFetched
	out.Spent = spent(ctx, began)
	out.BytesFetched = fetched
	return out, nil
}

func (s *stages) decodeOnce(ctx context.Context, in workflows.StageInput) (out workflows.Decoded, cached int, err error) {
	if have, err := s.has(ctx, in.Clip); have || err != nil {
		return out, 1, err
	}
	w, err := s.workOf(ctx, in)
	if err != nil {
		return out, 0, err
	}
	src, err := s.sources.Open(ctx, w.items[0].item.Video, w.spec.Limits.Bytes)
	if err != nil {
		return out, 0, waited(err)
	}
	defer src.Close()
	if src.ID() != in.Source {
		return out, 0, job.Fail(job.StageDecode, job.InputChanged, "the content changed since the job looked at it first: run the job again")
	}
	req := clipRequest(w)
	req.Hwaccel = s.hwaccelFor(in, w)
	clip, err := s.decoder().Run(ctx, req, src)
	if err != nil {
		s.cfg.Watch.Decoded(decoded(err), 0)
		return out, 0, waited(err)
	}
	s.cfg.Watch.Decoded(decoded(nil), clip.Fetched)
	s.logHwaccel(w, clip.Info)
	out.BytesFetched, out.Failed = clip.Fetched, w.refusals(w.of(clip.PTS, clip.Info.DurationS))
	_, err = s.cfg.Store.Put(ctx, in.Clip, bytes.NewReader(clip.Bytes), artifact.FirstWins)
	return out, 0, err
}

func (s *stages) decoder() client.Decoder { return client.Decoder{Path: s.cfg.DecodePath} }

func clipRequest(w *work) wire.Request {
	item, image := w.items[0].item, w.bundle.Image
	return wire.Request{
		Container: path.Ext(source.Redacted(item.Video)), Start: item.Start, End: item.End,
		Sampling: wire.Sampling{Strategy: w.spec.Frames.Strategy, Count: frameCount(w.spec, &w.bundle.Manifest), FPS: w.spec.Frames.FPS},
		Image:    wire.Image{Size: image.Size, Resize: wire.Resize(image.Resize), Fill: meanColour(image)},
		Color:    w.spec.Frames.Color, Limits: w.spec.Limits, AllowPartial: w.spec.AllowPartial,
	}
}

// meanColour is what models that pad are padded with.
func meanColour(image bundle.Image) (fill [3]uint8) {
	for i, mean := range image.Mean {
		fill[i] = uint8(math.Round(min(max(mean, 0), 1) * 255))
	}
	return fill
}
