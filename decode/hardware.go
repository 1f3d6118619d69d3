package decode

/*
#include <libavutil/frame.h>
#include <libavutil/hwcontext.h>

static int winnow_knows(enum AVHWDeviceType wanted) {
	enum AVHWDeviceType t = AV_HWDEVICE_TYPE_NONE;
	while ((t = av_hwdevice_iterate_types(t)) != AV_HWDEVICE_TYPE_NONE) if (t == wanted) return 1;
	return 0;
}

static int winnow_on_device(const AVFrame *f) { return f->hw_frames_ctx != NULL; }

// winnow_fetch copies f, of a device, to dst, with all that is known of it.
static int winnow_fetch(AVFrame *dst, const AVFrame *f) {
	int ret = av_hwframe_transfer_data(dst, f, 0);
	return ret < 0 ? ret : av_frame_copy_props(dst, f);
}
*/
import "C"

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/asticode/go-astiav"

	"github.com/winnow-video/winnow/decode/wire"
	"github.com/winnow-video/winnow/infer/tensor"
	"github.com/winnow-video/winnow/workflows/job"
)

// A device decodes a clip wholly or not at all: at the first thing that goes
// wrong, the clip is begun anew on the next device or in software. So what a
// damaged video comes to is for software alone to say.

// way is one way to have a device decode a codec.
type way struct {
	device  wire.Hwaccel
	decoder string             // FFmpeg's name of it
	format  astiav.PixelFormat // of frames on the device
}

// plan lists the ways to try for a codec, in order, and why devices that are
// asked for are not among them. built are the kinds of device that this build of
// FFmpeg knows, known the ways that its decoders of the codec know, the best first.
func plan(asked wire.Hwaccel, codec string, built []wire.Hwaccel, known []way) (ways []way, refused refusals) {
	for _, device := range asked.Devices() {
		i := slices.IndexFunc(known, func(w way) bool { return w.device == device })
		switch {
		case !slices.Contains(built, device):
			refused.add(device, "this build of FFmpeg is without it")
		case i < 0:
			refused.add(device, "this build of FFmpeg cannot decode "+codec+" with it")
		default:
			ways = append(ways, known[i])
		}
	}
	return ways, refused
}

// refusals are why devices do not decode.
type refusals []string

func (r *refusals) add(device wire.Hwaccel, why string) { *r = append(*r, string(device)+": "+why) }

func (r refusals) String() string { return strings.Join(r, "; ") }

// builtDevices are the kinds of device that this build of FFmpeg knows, present or not.
func builtDevices() []wire.Hwaccel {
	return slices.DeleteFunc(wire.HwaccelAuto.Devices(), func(h wire.Hwaccel) bool {
		return C.winnow_knows(C.enum_AVHWDeviceType(astiav.FindHardwareDeviceTypeByName(string(h)))) == 0
	})
}

// knownWays asks the preferred decoder of a codec and FFmpeg's own, which is named
// like the codec: of AV1 only the latter has devices.
func knownWays(id astiav.CodecID) (known []way) {
	for _, decoder := range []*astiav.Codec{astiav.FindDecoder(id), astiav.FindDecoderByName(id.Name())} {
		if decoder == nil {
			continue
		}
		for _, c := range decoder.HardwareConfigs() {
			if c.MethodFlags().Has(astiav.CodecHardwareConfigMethodFlagHwDeviceCtx) {
				device := wire.Hwaccel(c.HardwareDeviceType().Name())
				known = append(known, way{device: device, decoder: decoder.Name(), format: c.PixelFormat()})
			}
		}
	}
	return known
}

// make makes the clip on the first device that can, else in software.
func (m *maker) make(ctx context.Context) (*tensor.File, error) {
	for _, w := range m.ways(ctx) {
		clip, err := m.decodeOn(ctx, w)
		if err == nil || ctx.Err() != nil || m.src.Err() != nil {
			return clip, err
		}
		m.refused.add(w.device, reason(err))
		complaint() // what the device met, software will meet itself
	}
	return m.decode(ctx)
}

// ways are none for a file that cannot be opened: decoding it in software tells why.
func (m *maker) ways(ctx context.Context) []way {
	if len(m.req.Hwaccel.Devices()) == 0 {
		return nil
	}
	defer complaint()
	in, err := open(ctx, m.src, m.req, nil)
	if err != nil {
		return nil
	}
	defer in.close()
	id := in.stream.CodecParameters().CodecID()
	ways, refused := plan(m.req.Hwaccel, id.Name(), builtDevices(), knownWays(id))
	m.refused = refused
	return ways
}

// decodeOn makes the clip on a device, whole: with all frames, none of them damaged.
func (m *maker) decodeOn(ctx context.Context, w way) (*tensor.File, error) {
	d, err := openDevice(w)
	if err != nil {
		return nil, err
	}
	m.device = d
	defer func() {
		m.device = nil
		d.close()
	}()
	clip, err := m.decode(ctx)
	switch {
	case d.fault != nil:
		return nil, d.fault
	case err != nil:
		return nil, logged(err)
	case clip.Metadata["degraded"] != "":
		return nil, errors.New("not every frame could be decoded")
	}
	return clip, nil
}

// tell completes what a clip says with what decoded it.
func (m *maker) tell(info *wire.Info) {
	if m.device != nil {
		info.Hwaccel = m.device.way.device
	}
	info.HwaccelFallback = m.refused.String()
}

// reason is err in few words.
func reason(err error) string {
	var failure *job.Failure
	if errors.As(err, &failure) {
		return failure.Detail
	}
	return err.Error()
}

// device is one that is there, with what it is to do. A nil device is software.
type device struct {
	way
	context *astiav.HardwareDeviceContext
	fault   error // the first; it is of no use after that
}

func openDevice(w way) (*device, error) {
	firstError() // forget earlier ones
	kind := astiav.FindHardwareDeviceTypeByName(string(w.device))
	opened, err := astiav.CreateHardwareDeviceContext(kind, "", nil, 0)
	if err != nil {
		return nil, logged(fmt.Errorf("no device: %w", err))
	}
	return &device{way: w, context: opened}, nil
}

func (d *device) close() { d.context.Free() }

// logged adds what FFmpeg logged of err: its code says less.
func logged(err error) error {
	if line := firstError(); line != "" {
		return fmt.Errorf("%w (%s)", err, line)
	}
	return err
}

func (d *device) fail(err error) error {
	if d.fault == nil {
		d.fault = logged(err)
	}
	return d.fault
}

// codec is what decodes id.
func (d *device) codec(id astiav.CodecID) *astiav.Codec {
	if d == nil {
		return astiav.FindDecoder(id)
	}
	return astiav.FindDecoderByName(d.decoder)
}

// attach has the device do c's work.
func (d *device) attach(c *astiav.CodecContext) error {
	switch {
	case d == nil:
		return nil
	case d.fault != nil:
		return d.fault
	}
	c.SetHardwareDeviceContext(d.context)
	c.SetPixelFormatCallback(d.choose)
	return nil
}

// choose is FFmpeg's question where frames shall lie: on the device or nowhere.
func (d *device) choose(offered []astiav.PixelFormat) astiav.PixelFormat {
	if slices.Contains(offered, d.format) {
		return d.format
	}
	d.fail(errors.New("the device does not decode this kind of stream"))
	return astiav.PixelFormatNone
}

// tolerance is how much damage may be met before decoding ends, given what the request allows.
func (d *device) tolerance(allowed int) int {
	if d == nil {
		return allowed
	}
	return 0
}

// made checks that f was decoded by the device; some decoders do not ask it for every stream.
func (d *device) made(f *astiav.Frame) error {
	if d == nil || f.PixelFormat() == d.format {
		return nil
	}
	return d.fail(errors.New("the device was not asked to decode this stream"))
}

// fetched is f in system memory; release frees it. A frame that is there already is itself.
func fetched(f *astiav.Frame) (here *astiav.Frame, release func(), err error) {
	if C.winnow_on_device(cFrame(f)) == 0 {
		return f, func() {}, nil
	}
	here = astiav.AllocFrame()
	if ret := C.winnow_fetch(cFrame(here), cFrame(f)); ret < 0 {
		here.Free()
		return nil, nil, fmt.Errorf("fetch a frame from the device: %w", astiav.Error(ret))
	}
	return here, here.Free, nil
}
