package decode

import (
	"context"
	"math"

	"github.com/asticode/go-astiav"

	"github.com/winnow-video/winnow/workflows/job"
)

// Frames are compared small: a cut shows there as well, and noise and grain do not.
const (
	thumbW = 128
	thumbH = 72
)

// sceneScores decodes the frames of w and says how much of a cut each is, 0 to
// 255; the first is none. One that cannot be decoded is none either.
func (m *maker) sceneScores(ctx context.Context, t *timeline, w window) ([]float64, error) {
	in, err := open(ctx, m.src, m.req, nil) // in software: a cut is the same on every machine
	if err != nil {
		return nil, err
	}
	defer in.close()
	if key, ok := t.keyBefore(w.first); ok {
		if err := in.seek(key); err != nil {
			return nil, readFailure(err)
		}
		flush(in.decoder)
	}
	s := sceneScan{scores: make([]float64, w.frames())}
	defer s.thumbnailer.free()
	at := finder{timeline: t}
	err = in.pictures(ctx, &damage{limit: unlimited}, func(f *astiav.Frame) (bool, error) {
		position := at.next(f)
		if position < w.first {
			return true, nil
		}
		if position >= w.last {
			return false, nil
		}
		return true, s.add(f, position-w.first)
	})
	if containerFlaw(err) != nil { // the timeline ended here too
		err = nil
	}
	return s.scores, readFailure(err)
}

// sceneScan scores frames in order of showing.
type sceneScan struct {
	thumbnailer thumbnailer
	scores      []float64
	last        []byte  // the frame before
	difference  float64 // of that to its own predecessor
}

func (s *sceneScan) add(f *astiav.Frame, i int) error {
	thumb := make([]byte, thumbW*thumbH)
	if err := s.thumbnailer.luma(f, thumb); err != nil {
		return avFailure(err, job.InputUnsupported, "convert to luma")
	}
	if s.last != nil {
		difference := meanDifference(thumb, s.last)
		s.scores[i] = min(difference, math.Abs(difference-s.difference))
		s.difference = difference
	}
	s.last = thumb
	return nil
}

// meanDifference of equally long pictures, levels.
func meanDifference(a, b []byte) float64 {
	sum := 0
	for i := range a {
		d := int(a[i]) - int(b[i])
		sum += max(d, -d)
	}
	return float64(sum) / float64(len(a))
}
