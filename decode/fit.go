package decode

import (
	"github.com/asticode/go-astiav"

	"github.com/winnow-video/winnow/decode/resize"
	"github.com/winnow-video/winnow/decode/wire"
	"github.com/winnow-video/winnow/workflows/job"
)

// fitter makes of frames what the request asks for. It keeps its buffers: it is
// for one goroutine.
type fitter struct {
	req       wire.Request
	stream    turn // as the stream is to be shown
	converter converter
	plan      *resize.Plan // for frames of width × height
	width     int
	height    int
}

// fitted is a frame as the clip has it, until the next one is made.
type fitted struct {
	resize.Image
	turn          turn // that made it upright
	width, height int  // upright, before the resize
}

func newFitter(req wire.Request, in *input) *fitter {
	f := &fitter{req: req, stream: upright(), converter: converter{color: req.Color}}
	if m, ok := in.streamMatrix(); ok {
		f.stream = m.turn()
	}
	return f
}

func (s *fitter) free() { s.converter.free() }

func (s *fitter) fit(f *astiav.Frame) (fitted, error) {
	f, release, err := fetched(f)
	if err != nil {
		return fitted{}, avFailure(err, job.InputUnsupported, "convert to RGB")
	}
	defer release()
	out := fitted{turn: s.stream.of(f)}
	out.width, out.height = out.turn.size(f.Width(), f.Height())
	if err := s.prepare(out.width, out.height); err != nil {
		return out, err
	}
	from, to := s.columns(f, out.turn)
	image, left, err := s.converter.rgb(f, from, to)
	if err != nil {
		return out, avFailure(err, job.InputUnsupported, "convert to RGB")
	}
	out.Image = out.turn.apply(image)
	if s.plan != nil {
		out.Image = s.plan.Square(out.Image, left)
	}
	return out, nil
}

// prepare plans the resize of frames of w × h, upright.
func (s *fitter) prepare(w, h int) (err error) {
	if s.req.Image.Size == 0 || s.plan != nil && s.width == w && s.height == h {
		return nil
	}
	if err := s.paddable(w, h); err != nil {
		return err
	}
	s.width, s.height = w, h
	s.plan, err = resize.NewPlan(w, h, s.req.Image.Size, resize.Mode(s.req.Image.Resize), s.req.Image.Fill)
	return err
}

// columns of f that the clip needs, from..to-1.
func (s *fitter) columns(f *astiav.Frame, t turn) (from, to int) {
	if s.plan == nil || t != upright() || s.req.Image.Resize == wire.Pad {
		return 0, f.Width()
	}
	return s.plan.Columns()
}

// paddable refuses frames so long that the square around them would be huge.
// That around the widest usual frame has less than twice its pixels.
func (s *fitter) paddable(w, h int) error {
	side := int64(max(w, h))
	if s.req.Image.Resize != wire.Pad || side*side <= 2*s.req.Limits.Pixels {
		return nil
	}
	return fail(job.InputTooLarge, "frames of %dx%d, padded to a square over twice limits.pixels %d", w, h, s.req.Limits.Pixels)
}
