package decode

import (
	"context"
	"sync"

	"github.com/asticode/go-astiav"
)

// mostAhead bounds the packets that a lane reads before it decodes them, bytes:
// lanes share a demuxer, and one whose group has more keeps it until it is done.
const mostAhead = 8 << 20

// queue hands out groups of pictures in their order. It guards the demuxer.
type queue struct {
	ahead   int // bytes of packets to read before decoding; 0 where nobody else waits for the demuxer
	demuxer sync.Mutex
	groups  []group // still to be taken
}

// part is a group with its packets: those read already, then, if these are not
// all, those that the demuxer has.
type part struct {
	group
	in      *input
	read    []*astiav.Packet
	demuxer *sync.Mutex // held for what is not read yet; nil: everything is
}

// take reads the next group's packets; it is nil after the last.
func (q *queue) take(ctx context.Context, in *input) (*part, error) {
	q.demuxer.Lock()
	if len(q.groups) == 0 {
		q.demuxer.Unlock()
		return nil, nil
	}
	p := &part{group: q.groups[0], in: in, demuxer: &q.demuxer}
	q.groups = q.groups[1:]
	if in.pairsFields() {
		p.more = 1
	}
	err := in.seek(p.key)
	if err == nil && q.ahead > 0 {
		err = p.readAhead(ctx, q.ahead)
	}
	if err != nil {
		p.free()
		return nil, err
	}
	return p, nil
}

// readAhead reads up to about most bytes of packets.
func (p *part) readAhead(ctx context.Context, most int) error {
	held, whole := 0, true
	err := p.in.packets(ctx, func(packet *astiav.Packet) (bool, error) {
		kept := astiav.AllocPacket()
		kept.MoveRef(packet)
		p.read = append(p.read, kept)
		held += kept.Size()
		if p.enough(kept.Pts()) {
			return false, nil
		}
		whole = held < most
		return whole, nil
	})
	if err == nil && whole {
		p.release()
	}
	return err
}

// packets is a feed of all packets that the group needs.
func (p *part) packets(ctx context.Context, visit visitor) error {
	for _, packet := range p.read {
		if err := ctx.Err(); err != nil {
			return err
		}
		if more, err := visit(packet); err != nil || !more {
			return err
		}
	}
	if p.demuxer == nil {
		return nil
	}
	return p.in.packets(ctx, func(packet *astiav.Packet) (bool, error) {
		more, err := visit(packet)
		return more && !p.enough(packet.Pts()), err
	})
}

// release lets others have the demuxer.
func (p *part) release() {
	if p.demuxer != nil {
		p.demuxer.Unlock()
		p.demuxer = nil
	}
}

func (p *part) free() {
	p.release()
	for _, packet := range p.read {
		packet.Free()
	}
}
