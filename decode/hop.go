package decode

import (
	"context"
	"errors"
	"slices"

	"github.com/asticode/go-astiav"
	"golang.org/x/sync/errgroup"
)

// hop decodes, of every group of pictures that has wanted frames, from its key
// frame to the last of them, and of what lies between only what others refer to.
// Groups depend on nothing but themselves: as many as the request has threads are
// decoded at once. Containers may lead it astray: its frames are good only if none
// was left out, and it ends at the first damage.
func (p *picker) hop(ctx context.Context, in *input) error {
	groups := p.groups()
	lanes, ahead := p.lanes(in, len(groups)), mostAhead
	if lanes == 1 {
		ahead = 0
	}
	todo := &queue{groups: groups, ahead: ahead}
	all, ctx := errgroup.WithContext(ctx)
	others, err := p.beside(in, lanes-1)
	for _, other := range others {
		defer other.close()
		if err == nil {
			all.Go(func() error { return other.decodeGroups(ctx, other.in, todo) })
		}
	}
	if err == nil {
		all.Go(func() error { return p.decodeGroups(ctx, in, todo) })
		err = all.Wait()
	}
	if err == nil && complaint() != "" { // of what no lane looked at any more
		err = errDamaged
	}
	return err
}

var errDamaged = errors.New("damaged")

// groups are those that have wanted frames; none where it is not known where they begin.
func (p *picker) groups() (all []group) {
	for first := 0; first < len(p.picks); {
		key, ok := p.timeline.keyBefore(p.picks[first])
		if !ok {
			return nil
		}
		end := first
		for end < len(p.picks) && p.keyOf(end) == key {
			end++
		}
		all = append(all, group{timeline: p.timeline, key: key, picks: p.picks[first:end], missing: end - first})
		first = end
	}
	return all
}

// keyOf is the PTS of the key frame that a pick is decoded from.
func (p *picker) keyOf(slot int) int64 {
	key, _ := p.timeline.keyBefore(p.picks[slot])
	return key
}

// laneBytes is about what a lane holds for every pixel of a frame: the frames
// that a decoder keeps, and those on their way to RGB.
const laneBytes = 40

// lanes is how many of so many groups are decoded at once: half of the memory is
// theirs. A device takes one at a time.
func (p *picker) lanes(in *input, groups int) int {
	if in.device != nil {
		return 1
	}
	size := in.stream.CodecParameters()
	room := p.req.Limits.Memory / 2 / max(1, laneBytes*int64(size.Width())*int64(size.Height()))
	return max(1, int(min(int64(p.req.Threads), int64(groups), room)))
}

// lane is a picker with a decoder of its own.
type lane struct {
	*picker
	in *input
}

func (l lane) close() {
	l.picker.free()
	l.in.decoder.Free()
}

// beside makes n more lanes, which take frames for the same clip.
func (p *picker) beside(in *input, n int) (all []lane, err error) {
	for range n {
		other := &input{format: in.format, stream: in.stream, src: in.src}
		if err := other.openDecoder(p.req.Limits); err != nil {
			if other.decoder != nil {
				other.decoder.Free()
			}
			return all, err
		}
		q := newPicker(p.req, in, p.timeline, p.picks)
		q.picked = p.picked
		all = append(all, lane{q, other})
	}
	return all, nil
}

// decodeGroups decodes groups as long as there are any.
func (p *picker) decodeGroups(ctx context.Context, in *input, todo *queue) error {
	for {
		part, err := todo.take(ctx, in)
		if part == nil || err != nil {
			return err
		}
		err = p.decodeGroup(ctx, in, part)
		part.free()
		if err == nil && p.damage.count > 0 {
			err = errDamaged
		}
		if err != nil {
			return err
		}
	}
}

// decodeGroup decodes what the picks of a group need.
func (p *picker) decodeGroup(ctx context.Context, in *input, part *part) error {
	flush(in.decoder)
	in.wanted = part.wants
	p.span = spanOf(part.picks)
	return in.decode(ctx, part.packets, &p.damage, p.show)
}

// group is the wanted frames of a group of pictures.
type group struct {
	timeline *timeline
	key      int64 // PTS of its key frame
	picks    []int // positions
	missing  int   // picks whose packets are still to come
	more     int   // packets to send after the last of them
}

// wants says whether the frame of a packet is wanted. One that the timeline
// lacks may be what others refer to.
func (g *group) wants(pts int64) bool {
	position := g.timeline.find(pts)
	if position < 0 {
		return true
	}
	_, is := slices.BinarySearch(g.picks, position)
	return is
}

// enough notes that a packet came, and says whether no other is needed.
func (g *group) enough(pts int64) bool {
	if g.missing == 0 {
		g.more--
	} else if position := g.timeline.find(pts); position >= 0 && g.wants(pts) {
		g.missing--
	}
	return g.missing == 0 && g.more <= 0
}

// pairsFields says that a frame may be two packets, one a field.
func (in *input) pairsFields() bool {
	return in.decoder.CodecID() == astiav.CodecIDH264 && !isProgressive(in.decoder)
}
