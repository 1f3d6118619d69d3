package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"

	"github.com/winnow-video/winnow/workflows/job"
)

// A job file, nothing of which is a default.
const everyKey = `name: every
manifest: /m.jsonl
bundle: /b
frames: {count: 5, fps: 2, strategy: fps, color: pyav}
prune: {method: diverse, keep: 0.3, alpha: 0.7, tau: 0.1, query: question}
generate: {mode: score, max_tokens: 7, temperature: 0.5, top_p: 0.9, seed: 3}
fit: trim
allow_partial: true
limits: {pixels: 1000000, duration: 1h, bytes: 1000, decode_errors: 2, wall: 1m, memory: 100000000}
priority: 2
videos_at_once: 7
team: t
budget: {failure_share: 0.5}
labels: {a: b}
`

// load lays args over the job file.
func load(t *testing.T, args ...string) job.Spec {
	t.Helper()
	path := filepath.Join(t.TempDir(), "every.yaml")
	if err := os.WriteFile(path, []byte(everyKey), 0o600); err != nil {
		t.Fatal(err)
	}
	c := &cobra.Command{}
	flags := addSpecFlags(c)
	if err := c.Flags().Parse(args); err != nil {
		t.Fatal(err)
	}
	spec, err := flags.load(path)
	if err != nil {
		t.Fatal(err)
	}
	return spec
}

func TestJobFileStandsWhereNoFlagIsGiven(t *testing.T) {
	t.Parallel()
	want, err := job.ParseSpec([]byte(everyKey), "every.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want.WithDefaults(), load(t)); diff != "" {
		t.Errorf("(-file +loaded):\n%s", diff)
	}
}

func TestFlagWinsOverJobFile(t *testing.T) {
	t.Parallel()
	want := load(t)
	want.Frames.Count, want.Frames.Color = 9, job.ColorTagged
	if diff := cmp.Diff(want, load(t, "--frames", "9", "--color", "tagged")); diff != "" {
		t.Errorf("(-want +loaded):\n%s", diff)
	}
}
