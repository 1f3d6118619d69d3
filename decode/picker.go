package decode

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/asticode/go-astiav"

	"github.com/winnow-video/winnow/decode/wire"
	"github.com/winnow-video/winnow/infer/tensor"
	"github.com/winnow-video/winnow/workflows/job"
)

// picker takes the wanted frames as they come by from one decoder.
type picker struct {
	req      wire.Request
	timeline *timeline
	picks    []int // positions in the timeline that are wanted, ascending
	span     span  // where frames are taken from: another lane takes the others
	finder   finder
	fitter   *fitter
	damage   damage

	*picked
	info wire.Info
}

// picked is the frames taken so far, of all pickers of a clip.
type picked struct {
	mu            sync.Mutex
	latest        int    // slot of the latest frame taken, in the order of showing
	turn          turn   // of it
	width, height int    // of it, upright, before the resize
	rows, columns int    // of a frame in the clip
	pixels        []byte // of all picks, in their order
	taken         []bool // the picks whose pixels are there; each is written and read by one lane alone
	got           int    // how many those are
}

func newPicker(req wire.Request, in *input, t *timeline, picks []int) *picker {
	p := &picker{
		req: req, timeline: t, picks: picks, picked: &picked{taken: make([]bool, len(picks))}, span: spanOf(picks),
		finder: finder{timeline: t}, fitter: newFitter(req, in), damage: damage{limit: req.Limits.DecodeErrors},
	}
	if req.AllowPartial {
		p.damage.limit = unlimited
	}
	return p
}

// span is positions first to last, both included.
type span struct{ first, last int }

func spanOf(picks []int) span { return span{picks[0], picks[len(picks)-1]} }

func (s span) has(position int) bool { return s.first <= position && position <= s.last }

func (p *picker) free() { p.fitter.free() }

// leftOut is how many wanted frames are damaged or never came.
func (p *picker) leftOut() int { return len(p.picks) - p.got }

// walk decodes everything up to the last wanted frame.
func (p *picker) walk(ctx context.Context, in *input) error {
	err := in.pictures(ctx, &p.damage, p.show)
	if errors.Is(err, astiav.ErrInvaliddata) { // the timeline ended here too
		err = nil
	}
	return readFailure(err)
}

// show takes f if it is wanted.
func (p *picker) show(f *astiav.Frame) (more bool, err error) {
	position := p.finder.next(f)
	slot, wanted := slices.BinarySearch(p.picks, position)
	spoiled := p.damage.tainted && p.req.AllowPartial
	// A decoder may still show, after a flush, what it had of the group before.
	if wanted && p.span.has(position) && !p.taken[slot] && !spoiled {
		err = p.take(f, slot)
	}
	return err == nil && position < p.span.last && !p.complete(), err
}

func (p *picker) take(f *astiav.Frame, slot int) error {
	frame, err := p.fitter.fit(f)
	if err != nil {
		return err
	}
	return p.keep(frame, slot)
}

// complete says that all wanted frames were taken.
func (p *picked) complete() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.got == len(p.taken)
}

func (p *picked) keep(frame fitted, slot int) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.got == 0 {
		p.rows, p.columns = frame.H, frame.W
		p.pixels = make([]byte, len(p.taken)*len(frame.Pix))
	}
	if frame.H != p.rows || frame.W != p.columns {
		return fail(job.InputUnsupported, "its frames change size, from %dx%d to %dx%d: ask for an image size",
			p.columns, p.rows, frame.W, frame.H)
	}
	if p.got == 0 || slot > p.latest {
		p.latest, p.turn, p.width, p.height = slot, frame.turn, frame.width, frame.height
	}
	copy(p.pixels[slot*len(frame.Pix):], frame.Pix)
	p.taken[slot] = true
	p.got++
	return nil
}

// file is the clip of the frames taken.
func (p *picker) file() *tensor.File {
	size := 3 * p.rows * p.columns
	var index []int64
	var times []float64
	for slot, position := range p.picks {
		if p.taken[slot] {
			copy(p.pixels[len(index)*size:], p.pixels[slot*size:(slot+1)*size])
			index = append(index, int64(position))
			times = append(times, p.timeline.times[position])
		}
	}
	frames := tensor.Dense[uint8]{Shape: tensor.Shape{p.got, p.rows, p.columns, 3}, Data: p.pixels[:p.got*size]}
	return wire.File(frames, index, times, p.info)
}
