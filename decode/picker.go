package decode

import (
	"context"
	"errors"

	"github.com/asticode/go-astiav"

	"github.com/winnow-video/winnow/decode/resize"
	"github.com/winnow-video/winnow/decode/wire"
	"github.com/winnow-video/winnow/infer/tensor"
	"github.com/winnow-video/winnow/workflows/job"
)

// picker takes the wanted frames as they come by.
type picker struct {
	req       wire.Request
	timeline  *timeline
	wanted    []int // positions in the timeline, ascending; those still to come
	seen      int   // frames that came by
	stream    turn  // as the stream is to be shown
	converter converter
	damage    damage
	leftOut   int // wanted frames that are damaged or never came

	turn          turn   // of the latest frame taken
	width, height int    // of it, upright, before the resize
	rows, columns int    // of a frame in the clip
	pixels        []byte // of all frames taken
	index         []int64
	times         []float64
}

func newPicker(req wire.Request, in *input, t *timeline, wanted []int) *picker {
	p := &picker{req: req, timeline: t, wanted: wanted, stream: upright(), damage: damage{limit: req.Limits.DecodeErrors}}
	if m, ok := in.streamMatrix(); ok {
		p.stream = m.turn()
	}
	if req.AllowPartial {
		p.damage.limit = unlimited
	}
	return p
}

func (p *picker) free() { p.converter.free() }

// run decodes until nothing more is wanted. What never came counts as left out.
func (p *picker) run(ctx context.Context, in *input) error {
	err := in.pictures(ctx, &p.damage, p.show)
	if errors.Is(err, astiav.ErrInvaliddata) { // the timeline ended here too
		err = nil
	}
	p.leftOut += len(p.wanted)
	return err
}

// show takes f if it is the next that is wanted.
func (p *picker) show(f *astiav.Frame) (more bool, err error) {
	position := p.position(f)
	p.seen++
	for len(p.wanted) > 0 && p.wanted[0] < position {
		p.wanted = p.wanted[1:]
		p.leftOut++
	}
	if len(p.wanted) > 0 && p.wanted[0] == position {
		p.wanted = p.wanted[1:]
		err = p.take(f, position)
	}
	return len(p.wanted) > 0 && err == nil, err
}

// position of f in the timeline; -1 for a frame that the timeline lacks.
func (p *picker) position(f *astiav.Frame) int {
	if p.timeline.counted {
		return p.seen
	}
	return p.timeline.find(timestamp(f))
}

func (p *picker) take(f *astiav.Frame, position int) error {
	if p.damage.tainted && p.req.AllowPartial {
		p.leftOut++
		return nil
	}
	image, turned, err := p.converter.shown(f, p.stream)
	if err != nil {
		return avFailure(err, job.InputUnsupported, "convert to RGB")
	}
	p.turn, p.width, p.height = turned, image.W, image.H
	if p.req.Image.Size > 0 {
		image, err = resize.Square(image, p.req.Image.Size, resize.Mode(p.req.Image.Resize), p.req.Image.Fill)
		if err != nil {
			return err
		}
	}
	return p.keep(image, position)
}

func (p *picker) keep(image resize.Image, position int) error {
	if len(p.index) == 0 {
		p.rows, p.columns = image.H, image.W
		p.pixels = make([]byte, 0, (1+len(p.wanted))*len(image.Pix))
	}
	if image.H != p.rows || image.W != p.columns {
		return fail(job.InputUnsupported, "its frames change size, from %dx%d to %dx%d: ask for an image size",
			p.columns, p.rows, image.W, image.H)
	}
	p.pixels = append(p.pixels, image.Pix...)
	p.index = append(p.index, int64(position))
	p.times = append(p.times, p.timeline.times[position])
	return nil
}

// frames are those taken, [T,H,W,3].
func (p *picker) frames() tensor.Dense[uint8] {
	return tensor.Dense[uint8]{Shape: tensor.Shape{len(p.index), p.rows, p.columns, 3}, Data: p.pixels}
}
