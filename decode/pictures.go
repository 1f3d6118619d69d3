package decode

import (
	"context"
	"errors"
	"math"
	"slices"

	"github.com/asticode/go-astiav"

	"github.com/winnow-video/winnow/workflows/job"
)

// unlimited is a damage limit that nothing exceeds.
const unlimited = math.MaxInt

// damage counts what the decoder could not read.
type damage struct {
	limit   int
	count   int
	tainted bool    // since the last damage there was no key frame: what is shown may refer to it
	spoiled []int64 // PTS of packets that may have come damaged
	near    int     // packets to come that damage just met may have touched
}

// hit counts one; past the limit it is a failure.
func (d *damage) hit(what string) error {
	d.count++
	d.tainted = true
	if d.count > d.limit {
		return fail(job.InputCorrupt, "%s; %d damaged, limits.decode_errors is %d", what, d.count, d.limit)
	}
	return nil
}

// reach is how far damage that the demuxer complains of is from the packet that
// it then gives out, packets: a parser stands between.
const reach = 3

// arrived looks at a packet before it is decoded.
func (d *damage) arrived(p *astiav.Packet) error {
	why := complaint()
	if why != "" {
		d.near = reach
	}
	if p.Flags().Has(astiav.PacketFlagCorrupt) {
		why, d.near = "flagged by the demuxer", max(d.near, 1)
	}
	if d.near > 0 {
		d.near--
		d.spoiled = append(d.spoiled, p.Pts())
	}
	if why != "" {
		return d.hit("a packet came damaged: " + why)
	}
	return nil
}

// pictures decodes from here to the end.
func (in *input) pictures(ctx context.Context, d *damage, show func(*astiav.Frame) (bool, error)) error {
	return in.decode(ctx, in.packets, d, show)
}

// decode decodes all packets of a feed, and calls show with every frame, in the
// order of showing, until it returns false.
func (in *input) decode(ctx context.Context, packets feed, d *damage, show func(*astiav.Frame) (bool, error)) error {
	d.limit = in.device.tolerance(d.limit)
	f := astiav.AllocFrame()
	defer f.Free()
	ended := false
	take := func() (bool, error) {
		more, err := in.receive(f, d, show)
		ended = ended || !more
		return more, err
	}
	readErr := packets(ctx, func(p *astiav.Packet) (bool, error) {
		if err := in.send(p, d); err != nil {
			return false, err
		}
		return take()
	})
	var failure *job.Failure
	if ended || ctx.Err() != nil || errors.As(readErr, &failure) {
		return readErr
	}
	if err := in.decoder.SendPacket(nil); err != nil && !errors.Is(err, astiav.ErrEof) {
		return avFailure(err, job.InputCorrupt, "end the stream")
	}
	if _, err := take(); err != nil {
		return err
	}
	return readErr
}

func (in *input) send(p *astiav.Packet, d *damage) error {
	if err := d.arrived(p); err != nil {
		return err
	}
	skipUnreferenced(in.decoder, in.wanted != nil && !in.wanted(p.Pts()))
	switch err := in.decoder.SendPacket(p); {
	case err == nil:
		return nil
	case errors.Is(err, errNoMemory):
		return avFailure(err, job.InputMemory, "decode")
	default:
		return d.hit("a packet cannot be decoded: " + err.Error())
	}
}

// receive shows the frames that are ready; more is false once show wants none.
func (in *input) receive(f *astiav.Frame, d *damage, show func(*astiav.Frame) (bool, error)) (more bool, err error) {
	for {
		switch err := in.decoder.ReceiveFrame(f); {
		case errors.Is(err, astiav.ErrEagain), errors.Is(err, astiav.ErrEof):
			return true, nil
		case errors.Is(err, errNoMemory):
			return false, avFailure(err, job.InputMemory, "decode")
		case err != nil:
			if err := d.hit("a frame cannot be decoded: " + err.Error()); err != nil {
				return false, err
			}
			continue
		}
		more, err := in.inspect(f, d, show)
		f.Unref()
		if err != nil || !more {
			return false, err
		}
	}
}

func (in *input) inspect(f *astiav.Frame, d *damage, show func(*astiav.Frame) (bool, error)) (bool, error) {
	if err := in.device.made(f); err != nil {
		return false, err
	}
	if f.KeyFrame() {
		d.tainted = slices.Contains(d.spoiled, f.Pts())
	}
	why := complaint()
	if damaged(f) {
		why = "concealed by the decoder"
	}
	if why != "" {
		if err := d.hit("a frame is damaged: " + why); err != nil {
			return false, err
		}
	}
	return show(f)
}
