package workers

import (
	"strings"
	"testing"

	"go.temporal.io/sdk/client"

	"github.com/winnow-video/winnow/decode/wire"
	"github.com/winnow-video/winnow/workflows"
)

// A clip that a device may have made is another artifact than software's; the tokens follow.
func TestHwaccelIsPartOfTheKey(t *testing.T) {
	t.Parallel()
	d := newDesk(t, questions("a.mp4", 1), 10, nil)
	in := workflows.StageInput{VideoInput: workflows.VideoInput{Run: d.run, Asks: []workflows.Ask{{Line: 0}}}}
	w, err := d.workOf(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	keys := map[wire.Hwaccel]workflows.Keys{}
	for _, h := range wire.Hwaccels() {
		d.cfg.Hwaccel = h
		keys[h] = sharedKeys("sha256-0", w.items[0].item, w.spec, w.bundle, d.clipDecoder(), d.cfg.Encoder)
		for other, k := range keys {
			if other != h && (k.Clip == keys[h].Clip || k.Tokens == keys[h].Tokens) {
				t.Errorf("%s and %s share a key", h, other)
			}
		}
	}
	if software := sharedKeys("sha256-0", w.items[0].item, w.spec, w.bundle, d.decoderBuild, d.cfg.Encoder); software != keys[wire.HwaccelNone] {
		t.Error("a worker that asks for no device has other keys than before there was a choice")
	}
	for _, located := range wire.Hwaccels() {
		for _, decoding := range wire.Hwaccels() {
			d.cfg.Hwaccel, in.Keys = decoding, keys[located]
			want := wire.HwaccelNone
			if located == decoding {
				want = decoding
			}
			if got := d.hwaccelFor(in, w); got != want {
				t.Errorf("located for %s, decoded by a worker with %s: asks for %s, want %s", located, decoding, got, want)
			}
		}
	}
}

func TestConfigRefusesAnUnknownHwaccel(t *testing.T) {
	t.Parallel()
	d := newDesk(t, questions("a.mp4", 1), 10, nil)
	cfg := d.cfg
	cfg.Temporal = struct{ client.Client }{}
	if err := cfg.validate(); err != nil || cfg.Hwaccel != wire.HwaccelNone {
		t.Errorf("by default %q: %v", cfg.Hwaccel, err)
	}
	cfg.Hwaccel = "opencl"
	if err := cfg.validate(); err == nil || !strings.Contains(err.Error(), `hwaccel: "opencl"`) {
		t.Errorf("opencl: %v", err)
	}
}
