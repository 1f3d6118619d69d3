package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/winnow-video/winnow/workflows/job"
)

// TestLoopAnswers takes three of the demo's questions through two lines.
func TestLoopAnswers(t *testing.T) {
	t.Parallel()
	root, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	clips := filepath.Join(root, "deploy", "bundle", "demo-clips")
	manifest, err := os.Open(filepath.Join(clips, "manifest.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer manifest.Close()
	spec := job.NewSpec()
	spec.Frames.Count = 8
	o := order{Bundle: filepath.Join(root, "deploy", "bundle", "demo"), Decoder: filepath.Join(root, "bin", "winnow-decode"), Parallel: 2, Spec: spec}
	for item, err := range job.ReadManifest(manifest, "manifest.jsonl", clips) {
		if err != nil {
			t.Fatal(err)
		}
		if o.Items = append(o.Items, item); len(o.Items) == 3 {
			break
		}
	}
	bill, err := o.answer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i, answer := range bill.Answers {
		if answer.OptionIndex == nil {
			t.Errorf("%s: answer %+v, want one of the options", o.Items[i].ID, answer)
		}
	}
	if bill.CPUS <= 0 || bill.DecoderCPUS <= 0 || bill.WallS <= 0 {
		t.Errorf("bill %+v", bill)
	}
}
