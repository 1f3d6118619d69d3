package workers

import (
	"encoding/json"
	"path/filepath"
	"testing"

	"github.com/winnow-video/winnow/infer/bundle"
	"github.com/winnow-video/winnow/infer/tensor"
	"github.com/winnow-video/winnow/workflows"
	"github.com/winnow-video/winnow/workflows/job"
)

// pictures makes the desk's bundle one whose model is shown frames.
func (d *desk) pictures(t *testing.T) {
	t.Helper()
	m := testManifest()
	m.Files, m.Grid, m.Language = nil, [2]int{1, 1}, &bundle.Language{Remote: true, Model: "gpt", Input: bundle.InputFrames}
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(d.spec.Bundle, bundle.ManifestFile), text)
	_, digest, err := bundle.Verify(t.Context(), d.spec.Bundle)
	if err != nil {
		t.Fatal(err)
	}
	d.run.Bundle = digest
}

// Frames that are shown as images are one token each, which pruning keeps; the
// request for an answer names the clip.
func TestPicturesStandIn(t *testing.T) {
	t.Parallel()
	d := newDesk(t, questions("a.mp4", 1), 10, func(s *job.Spec) { s.Prune = job.Prunings{{Method: "none"}} })
	d.pictures(t)
	clip := encoded(t)
	delete(clip.Tensors, "tokens")
	content, err := tensor.Encode(clip)
	if err != nil {
		t.Fatal(err)
	}
	in := workflows.StageInput{VideoInput: workflows.VideoInput{Run: d.run, Asks: []workflows.Ask{{Line: 0}}}}
	w, err := d.workOf(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	in.Keys = sharedKeys("sha256-0", w.items[0].item, w.spec, w.bundle, testDecoder, d.cfg.Encoder)
	put(t, d.cfg.Store, in.Clip, content)
	if err := d.standIn(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	if w, err = d.workOf(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	c, err := d.openClip(t.Context(), w, 1)
	if err != nil {
		t.Fatal(err)
	}
	s, err := w.policies[0].Select(c.ready, nil)
	if err != nil || len(s.Kept) != testT || s.P != 1 {
		t.Errorf("kept %+v, %v, want one token of each of %d frames", s, err, testT)
	}
	if r := answerRequest(w, w.items[0]); r.Answer.Clip != in.Clip {
		t.Errorf("request %+v names no clip", r.Answer)
	}
}

// Pruning what nobody would see pruned is a fault of the job.
func TestPicturesAreNotPruned(t *testing.T) {
	t.Parallel()
	d := newDesk(t, questions("a.mp4", 1), 10, nil)
	d.pictures(t)
	_, err := d.workOf(t.Context(), workflows.StageInput{VideoInput: workflows.VideoInput{Run: d.run, Asks: []workflows.Ask{{Line: 0}}}})
	if err == nil || job.AsFailure(job.StageRecord, err).Code != job.ConfigInvalid {
		t.Errorf("%v, want %s", err, job.ConfigInvalid)
	}
}
