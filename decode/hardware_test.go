package decode

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/asticode/go-astiav"
	"github.com/google/go-cmp/cmp"

	"github.com/winnow-video/winnow/decode/wire"
	"github.com/winnow-video/winnow/infer/tensor"
)

// Which devices are tried, in which order, and what is said of the others.
func TestPlan(t *testing.T) {
	t.Parallel()
	var (
		cuda   = way{wire.HwaccelCUDA, "h264", astiav.PixelFormatCuda}
		second = way{wire.HwaccelCUDA, "h264_other", astiav.PixelFormatCuda}
		vaapi  = way{wire.HwaccelVAAPI, "h264", astiav.PixelFormatVaapi}
		vdpau  = way{"vdpau", "h264", astiav.PixelFormatVdpau}
		both   = []wire.Hwaccel{wire.HwaccelCUDA, wire.HwaccelVAAPI}
	)
	for _, c := range []struct {
		name    string
		asked   wire.Hwaccel
		built   []wire.Hwaccel
		known   []way
		want    []way
		refused string
	}{
		{"none asks for nothing", wire.HwaccelNone, both, []way{cuda, vaapi}, nil, ""},
		{"auto tries cuda first", wire.HwaccelAuto, both, []way{vdpau, vaapi, cuda}, []way{cuda, vaapi}, ""},
		{"the decoder's own first", wire.HwaccelCUDA, both, []way{cuda, second}, []way{cuda}, ""},
		{"a named one and no other", wire.HwaccelVAAPI, both, []way{cuda, vaapi}, []way{vaapi}, ""},
		{"auto in a build with one", wire.HwaccelAuto, both[:1], []way{cuda, vaapi}, []way{cuda}, "vaapi: this build of FFmpeg is without it"},
		{"a build with none", wire.HwaccelAuto, nil, nil, nil,
			"cuda: this build of FFmpeg is without it; vaapi: this build of FFmpeg is without it"},
		{"a codec that it cannot", wire.HwaccelCUDA, both, []way{vaapi}, nil, "cuda: this build of FFmpeg cannot decode h264 with it"},
		{"auto with a codec of one", wire.HwaccelAuto, both, []way{vaapi}, []way{vaapi}, "cuda: this build of FFmpeg cannot decode h264 with it"},
		{"named but not built", wire.HwaccelCUDA, both[1:], []way{cuda, vaapi}, nil, "cuda: this build of FFmpeg is without it"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, refused := plan(c.asked, "h264", c.built, c.known)
			if !slices.Equal(got, c.want) {
				t.Errorf("ways %v, want %v", got, c.want)
			}
			if diff := cmp.Diff(c.refused, refused.String()); diff != "" {
				t.Errorf("refused: %s", diff)
			}
		})
	}
}

// What this build's decoders say of themselves fits what it was built with.
func TestKnownWaysAreOfKnownDecoders(t *testing.T) {
	t.Parallel()
	for _, id := range []astiav.CodecID{astiav.CodecIDH264, astiav.CodecIDHevc, astiav.CodecIDVp9, astiav.CodecIDAv1} {
		for _, w := range knownWays(id) {
			if d := astiav.FindDecoderByName(w.decoder); d == nil || d.ID() != id {
				t.Errorf("%s: %+v", id.Name(), w)
			}
		}
	}
	if ways := knownWays(astiav.CodecIDFfv1); len(ways) > 0 {
		t.Errorf("ffv1, which no device decodes: %v", ways)
	}
}

func clipOn(t *testing.T, path string, hwaccel wire.Hwaccel) (*tensor.File, wire.Info) {
	t.Helper()
	m := makerOf(t, path, 8)
	m.req.Hwaccel = hwaccel
	clip, err := m.make(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	info, err := wire.ParseInfo(clip.Metadata)
	if err != nil {
		t.Fatal(err)
	}
	return clip, info
}

// A wish that no device here fulfils changes no pixel, and is answered with the reason.
// Not parallel, for it reads FFmpeg's log, which is the process's.
func TestFallbackGivesTheSameFrames(t *testing.T) {
	for _, c := range []struct{ name, args string }{
		{"a.mp4", "-c:v libx264 -g 40 -bf 3 -pix_fmt yuv420p"},
		{"a.mkv", "-c:v ffv1"},
		{"a.avi", "-c:v mpeg4"},
	} {
		path := clipOf(t, c.name, c.args)
		want, info := clipOn(t, path, wire.HwaccelNone)
		if info.Hwaccel != "" || info.HwaccelFallback != "" {
			t.Errorf("%s: none was asked for: %q, %q", c.name, info.Hwaccel, info.HwaccelFallback)
		}
		for _, asked := range []wire.Hwaccel{wire.HwaccelAuto, wire.HwaccelCUDA, wire.HwaccelVAAPI} {
			got, info := clipOn(t, path, asked)
			if info.Hwaccel != "" {
				t.Logf("%s: decoded by %s", c.name, info.Hwaccel) // a device is here: its pixels are its own
				continue
			}
			for _, device := range asked.Devices() {
				if !strings.Contains(info.HwaccelFallback, string(device)+": ") {
					t.Errorf("%s asked for %s: no reason for %s in %q", c.name, asked, device, info.HwaccelFallback)
				}
			}
			if diff := cmp.Diff(want.Tensors, got.Tensors); diff != "" {
				t.Errorf("%s asked for %s: other frames", c.name, asked)
			}
		}
	}
}

// A device that fails at any time leaves no trace but the reason; one that works is
// told of. The devices here are none: what is under test is what make does of them.
func TestDeviceThatFailsIsOfNoMoreUse(t *testing.T) {
	d := &device{way: way{wire.HwaccelCUDA, "h264", astiav.PixelFormatCuda}}
	if got := d.choose([]astiav.PixelFormat{astiav.PixelFormatYuv420P, astiav.PixelFormatCuda}); got != astiav.PixelFormatCuda || d.fault != nil {
		t.Errorf("offered its own format, it chose %v: %v", got, d.fault)
	}
	if got := d.choose([]astiav.PixelFormat{astiav.PixelFormatYuv420P}); got != astiav.PixelFormatNone || d.fault == nil {
		t.Errorf("offered software alone, it chose %v: %v", got, d.fault)
	}
	first := d.fault
	if err := d.attach(nil); !errors.Is(err, first) {
		t.Errorf("it is attached again: %v", err)
	}
	if err := d.fail(errors.New("later")); !errors.Is(err, first) {
		t.Errorf("its fault became %v", err)
	}
	if d.tolerance(7) != 0 || (*device)(nil).tolerance(7) != 7 {
		t.Error("a device's damage counts, software's is as allowed")
	}
}

func TestFrameInMemoryUnderADevice(t *testing.T) {
	f := astiav.AllocFrame()
	defer f.Free()
	f.SetPixelFormat(astiav.PixelFormatYuv420P)
	d := &device{way: way{wire.HwaccelVAAPI, "h264", astiav.PixelFormatVaapi}}
	if err := d.made(f); err == nil || d.fault == nil {
		t.Error("a frame that software decoded passed for the device's")
	}
	if err := (*device)(nil).made(f); err != nil {
		t.Errorf("without a device: %v", err)
	}
	if here, release, err := fetched(f); here != f || err != nil {
		t.Errorf("a frame in memory was fetched: %v", err)
	} else {
		release()
	}
}

// Devices hand out NV12 and P010 where software has planes: the same samples, so the same RGB.
func TestDeviceFormatsConvertAlike(t *testing.T) {
	t.Parallel()
	const w, h = 62, 34
	rng := rand.New(rand.NewPCG(3, 4))
	luma, u, v := samples(rng, w*h), samples(rng, w*h/4), samples(rng, w*h/4)
	var chroma []uint16
	for i := range u {
		chroma = append(chroma, u[i], v[i])
	}
	planar, packed := slices.Concat(luma, u, v), slices.Concat(luma, chroma)
	for _, c := range []struct {
		name             string
		software, device astiav.PixelFormat
		bytes, shift     int
	}{
		{"8 bit", astiav.PixelFormatYuv420P, astiav.PixelFormatNv12, 1, 0},
		{"10 bit", astiav.PixelFormatYuv420P10Le, astiav.PixelFormatP010Le, 2, 6},
	} {
		want := asRGB(t, frameOf(t, c.software, w, h, encoded(planar, c.bytes, 0)))
		got := asRGB(t, frameOf(t, c.device, w, h, encoded(packed, c.bytes, c.shift)))
		if !bytes.Equal(want, got) {
			t.Errorf("%s: %d of %d values differ", c.name, differing(want, got), len(want))
		}
	}
}

// samples are n random ones of 10 bits.
func samples(rng *rand.Rand, n int) []uint16 {
	s := make([]uint16, n)
	for i := range s {
		s[i] = uint16(rng.IntN(1 << 10))
	}
	return s
}

// encoded is samples as one byte each, their upper eight bits, or as two, shifted.
func encoded(samples []uint16, bytes, shift int) (out []byte) {
	for _, s := range samples {
		if bytes == 1 {
			out = append(out, byte(s>>2))
		} else {
			out = append(out, byte(s<<shift), byte(s<<shift>>8))
		}
	}
	return out
}

func frameOf(t *testing.T, format astiav.PixelFormat, w, h int, content []byte) *astiav.Frame {
	t.Helper()
	f := astiav.AllocFrame()
	t.Cleanup(f.Free)
	f.SetWidth(w)
	f.SetHeight(h)
	f.SetPixelFormat(format)
	if err := f.AllocBuffer(0); err != nil {
		t.Fatal(err)
	}
	if err := f.Data().SetBytes(content, 1); err != nil {
		t.Fatal(err)
	}
	return f
}

func asRGB(t *testing.T, f *astiav.Frame) []byte {
	t.Helper()
	s := fitter{stream: upright()}
	defer s.free()
	image, err := s.fit(f)
	if err != nil {
		t.Fatal(err)
	}
	return image.Pix
}

func differing(a, b []byte) (n int) {
	for i := range a {
		if a[i] != b[i] {
			n++
		}
	}
	return n
}
