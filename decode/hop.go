package decode

import (
	"context"
	"slices"

	"github.com/asticode/go-astiav"
)

// hop decodes, of every group of pictures that has wanted frames, from its key
// frame to the last of them, and of what lies between only what others refer to.
// Containers may lead it astray: its frames are good only if none was left out and
// nothing was damaged.
func (p *picker) hop(ctx context.Context, in *input) error {
	for first := 0; first < len(p.picks); {
		key, ok := p.timeline.keyBefore(p.picks[first])
		if !ok {
			return nil
		}
		end := first
		for end < len(p.picks) && p.keyOf(end) == key {
			end++
		}
		if err := p.decodeGroup(ctx, in, key, p.picks[first:end]); err != nil {
			return err
		}
		first = end
	}
	return nil
}

// keyOf is the PTS of the key frame that a pick is decoded from.
func (p *picker) keyOf(slot int) int64 {
	key, _ := p.timeline.keyBefore(p.picks[slot])
	return key
}

// decodeGroup decodes from the key frame at PTS key what picks need.
func (p *picker) decodeGroup(ctx context.Context, in *input, key int64, picks []int) error {
	if err := in.seek(key); err != nil {
		return err
	}
	g := group{timeline: p.timeline, picks: picks, missing: len(picks)}
	if in.pairsFields() {
		g.more = 1
	}
	in.wanted, in.enough = g.wants, g.enough
	p.last = picks[len(picks)-1]
	return in.pictures(ctx, &p.damage, p.show)
}

// group is the wanted frames of a group of pictures.
type group struct {
	timeline *timeline
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

// enough notes that a packet was sent, and says whether no other is needed.
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
