package decode

import (
	"context"

	"github.com/winnow-video/winnow/decode/wire"
	"github.com/winnow-video/winnow/infer/tensor"
	"github.com/winnow-video/winnow/workflows/job"
)

// makeClip takes the clip that req asks for from src.
func makeClip(ctx context.Context, req wire.Request, src *source) (*tensor.File, error) {
	listen()
	if err := admit(src, req.Limits); err != nil {
		return nil, err
	}
	m := &maker{req: req, src: src}
	return m.make(ctx)
}

// maker makes one clip.
type maker struct {
	req     wire.Request
	src     *source
	device  *device  // that decodes now; nil: software
	refused refusals // why no earlier one decoded
}

// decode takes the clip on the maker's device.
func (m *maker) decode(ctx context.Context) (*tensor.File, error) {
	t, err := m.timeline(ctx, skim, fromPackets)
	if err != nil {
		return nil, err
	}
	if t == nil {
		return m.byDecoding(ctx)
	}
	clip, err := m.clip(ctx, t)
	if err == nil && clip == nil { // packets promised frames that no decoder shows
		return m.byDecoding(ctx)
	}
	return clip, err
}

func (m *maker) byDecoding(ctx context.Context) (*tensor.File, error) {
	t, err := m.timeline(ctx, open, fromDecoding)
	if err != nil {
		return nil, err
	}
	return m.clip(ctx, t)
}

// timeline reads the file once from its beginning; nil where read cannot tell.
func (m *maker) timeline(ctx context.Context, open opener, read func(context.Context, *input) (*timeline, error)) (*timeline, error) {
	in, err := open(ctx, m.src, m.req, m.device)
	if err != nil {
		return nil, err
	}
	defer in.close()
	t, err := read(ctx, in)
	if err != nil || t == nil {
		return nil, err
	}
	if why := m.src.shape().short; why != "" {
		t.flaw = fail(job.InputTruncated, "%s", why)
	}
	return t, m.acceptable(t)
}

// opener is open or skim.
type opener func(context.Context, *source, wire.Request, *device) (*input, error)

func (m *maker) acceptable(t *timeline) error {
	switch limit := m.req.Limits.Duration; {
	case t.flaw != nil && (len(t.pts) == 0 || !m.req.AllowPartial):
		return t.flaw
	case len(t.pts) == 0:
		return fail(job.InputNoFrames, "its video stream has no frame")
	case t.duration() > limit.Seconds():
		return fail(job.InputTooLarge, "lasts %v, over limits.duration %v", inSeconds(t.duration()), limit)
	}
	return nil
}

// clip takes the frames that the sampling wants. It is nil where frames are
// missing though nothing was damaged, unless t was counted.
func (m *maker) clip(ctx context.Context, t *timeline) (*tensor.File, error) {
	picks, err := m.sample(ctx, t)
	if err != nil {
		return nil, err
	}
	if t.seekable && t.flaw == nil {
		if p, err := m.pick(ctx, t, picks, true); err == nil && p.leftOut() == 0 {
			return p.file(), nil
		}
	}
	p, err := m.pick(ctx, t, picks, false)
	if err != nil {
		return nil, err
	}
	if p.leftOut() > 0 {
		if !t.counted && p.damage.count == 0 && t.flaw == nil {
			return nil, nil
		}
		if err := m.partial(p, len(picks)); err != nil {
			return nil, err
		}
	}
	return p.file(), nil
}

// sample chooses positions in t as the request says, ascending.
func (m *maker) sample(ctx context.Context, t *timeline) (picks []int, err error) {
	w, s := t.window(m.req.Start, m.req.End), m.req.Sampling
	if w.frames() == 0 {
		return nil, fail(job.InputNoFrames, "none of its %d frames, %.3f s, is in start..end", len(t.times), t.duration())
	}
	switch s.Strategy {
	case job.StrategyFPS:
		picks = byRate(t.times, w, orZero(m.req.Start), s.FPS, s.Count)
	case job.StrategyKeyframes:
		picks = byKey(t, w, s.Count)
	case job.StrategyScene:
		var scores []float64
		if scores, err = m.sceneScores(ctx, t, w); err == nil {
			picks = byScene(scores, w, s.Count)
		}
	default:
		picks = uniform(w, s.Count)
	}
	if len(picks) == 0 && err == nil {
		err = fail(job.InputNoFrames, "none of its %d frames in start..end is a key frame", w.frames())
	}
	return picks, err
}

func orZero(s *float64) float64 {
	if s == nil {
		return 0
	}
	return *s
}

// pick decodes what is needed for the picks, or everything up to the last of them.
func (m *maker) pick(ctx context.Context, t *timeline, picks []int, hop bool) (*picker, error) {
	in, err := open(ctx, m.src, m.req, m.device)
	if err != nil {
		return nil, err
	}
	defer in.close()
	p := newPicker(m.req, in, t, picks)
	defer p.free()
	if hop {
		err = p.hop(ctx, in)
	} else {
		err = p.walk(ctx, in)
	}
	p.info = describe(in, t, p)
	m.tell(&p.info)
	return p, err
}

// partial says whether fewer frames than wanted will do.
func (m *maker) partial(p *picker, wanted int) error {
	got := p.got
	switch {
	case m.req.AllowPartial && got > 0:
		return nil
	case p.damage.count > 0:
		return fail(job.InputCorrupt, "%d of %d wanted frames can be decoded", got, wanted)
	}
	return fail(job.InputTruncated, "%d of %d wanted frames are there", got, wanted)
}

// describe is what the clip says of its video.
func describe(in *input, t *timeline, p *picker) wire.Info {
	info := wire.Info{
		TotalFrames: len(t.pts), DurationS: t.duration(), Width: p.width, Height: p.height,
		Codec: in.decoder.CodecID().Name(), Container: in.container(), Rotation: p.turn.degrees(), Decoder: Build(),
	}
	if info.DurationS > 0 {
		info.FPS = float64(info.TotalFrames) / info.DurationS
	}
	if t.flaw != nil || t.lost > 0 || p.leftOut() > 0 {
		info.Degraded = []string{job.DegradedPartialFrames}
	}
	return info
}
