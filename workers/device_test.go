package workers

import (
	"testing"

	"github.com/winnow-video/winnow/infer/device"
	"github.com/winnow-video/winnow/workflows"
	"github.com/winnow-video/winnow/workflows/artifact"
)

// Tokens of another provider have another key, and whoever asks for them names
// the provider of the key, whatever its own device.
func TestProviderIsPartOfTheKey(t *testing.T) {
	t.Parallel()
	d := newDesk(t, questions("a.mp4", 1), 10, nil)
	in := workflows.StageInput{VideoInput: workflows.VideoInput{Run: d.run, Asks: []workflows.Ask{{Line: 0}}}}
	w, err := d.workOf(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	keys := map[artifact.Key]bool{}
	for _, p := range device.Providers() {
		w.in.Keys = sharedKeys("sha256-0", w.items[0].item, w.spec, w.bundle, testDecoder, Encoder{Provider: p, Precision: "f32"})
		keys[w.in.Tokens] = true
		if r := encodeRequest(w, d.cfg.Encoder.Precision); r.Provider != string(p) || r.Clip != w.in.Clip {
			t.Errorf("request %+v, want tokens of %s", r, p)
		}
	}
	if len(keys) != len(device.Providers()) {
		t.Errorf("%d keys for %d providers", len(keys), len(device.Providers()))
	}
}
