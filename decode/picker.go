package decode

import (
	"context"
	"errors"
	"sort"

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
	picks     []int // positions in the timeline that are wanted, ascending
	wanted    []int // those of them still to come
	hops      bool  // over what is not needed
	finder    finder
	stream    turn // as the stream is to be shown
	converter converter
	damage    damage
	leftOut   int // wanted frames that are damaged or never came

	turn          turn   // of the latest frame taken
	width, height int    // of it, upright, before the resize
	rows, columns int    // of a frame in the clip
	pixels        []byte // of all frames taken
	info          wire.Info
	index         []int64
	times         []float64
}

func newPicker(req wire.Request, in *input, t *timeline, picks []int) *picker {
	p := &picker{req: req, timeline: t, finder: finder{timeline: t}, picks: picks, wanted: picks, stream: upright(), converter: converter{color: req.Color}, damage: damage{limit: req.Limits.DecodeErrors}}
	if m, ok := in.streamMatrix(); ok {
		p.stream = m.turn()
	}
	if req.AllowPartial {
		p.damage.limit = unlimited
	}
	return p
}

func (p *picker) free() { p.converter.free() }

// walk decodes everything until nothing more is wanted. What never came counts as left out.
func (p *picker) walk(ctx context.Context, in *input) error {
	err := in.pictures(ctx, &p.damage, p.show)
	if errors.Is(err, astiav.ErrInvaliddata) { // the timeline ended here too
		err = nil
	}
	p.leftOut += len(p.wanted)
	return readFailure(err)
}

// nearby is how far before a key frame decoding goes on to it rather than seeks,
// frames; more than a decoder holds back.
const nearby = 20

// hop decodes from the key frame before each wanted frame, and of what lies
// between only what is needed. Containers may lead it astray: its frames are
// good only if none was left out and nothing was damaged.
func (p *picker) hop(ctx context.Context, in *input) error {
	p.hops, in.wanted = true, p.isNear
	at := 0
	for len(p.wanted) > 0 {
		before := len(p.wanted)
		if key, far := p.keyAhead(at); far {
			if err := in.seek(key); err != nil {
				return err
			}
		}
		if err := in.pictures(ctx, &p.damage, p.show); err != nil {
			return err
		}
		if len(p.wanted) == before {
			p.leftOut += before
			return nil
		}
		at = p.picks[len(p.picks)-len(p.wanted)-1]
	}
	return nil
}

// keyAhead is the PTS of the key frame to go on from for the next wanted frame, if it is far from position at.
func (p *picker) keyAhead(at int) (key int64, far bool) {
	if len(p.wanted) == 0 {
		return 0, false
	}
	key, ok := p.timeline.keyBefore(p.wanted[0])
	return key, ok && p.timeline.find(key) > at+nearby
}

func (p *picker) isFar(position int) bool {
	_, far := p.keyAhead(position)
	return far
}

// isNear says that a packet's frame is wanted, or so close to one that is that
// the decoder may need it for putting frames in order.
func (p *picker) isNear(pts int64) bool {
	const frames = 2
	position := p.timeline.find(pts)
	if position < 0 {
		return true
	}
	i := sort.SearchInts(p.picks, position-frames)
	return i < len(p.picks) && p.picks[i] <= position+frames
}

// show takes f if it is the next that is wanted.
func (p *picker) show(f *astiav.Frame) (more bool, err error) {
	position := p.finder.next(f)
	for len(p.wanted) > 0 && p.wanted[0] < position {
		p.wanted = p.wanted[1:]
		p.leftOut++
	}
	taken := len(p.wanted) > 0 && p.wanted[0] == position
	if taken {
		p.wanted = p.wanted[1:]
		err = p.take(f, position)
	}
	if len(p.wanted) == 0 || err != nil {
		return false, err
	}
	return !(p.hops && taken && p.isFar(position)), nil
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

// file is the clip of the frames taken.
func (p *picker) file() *tensor.File {
	frames := tensor.Dense[uint8]{Shape: tensor.Shape{len(p.index), p.rows, p.columns, 3}, Data: p.pixels}
	return wire.File(frames, p.index, p.times, p.info)
}
