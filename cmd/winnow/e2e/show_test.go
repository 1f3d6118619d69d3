package e2e

import (
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestShowItem draws what was kept of an item, in the frames it was kept of. Of an
// item without an answer there is nothing to draw, and no file.
func TestShowItem(t *testing.T) {
	r := newRig(t)
	lines := append(clipLines(r, 1), question("bad", r.write("bad.mp4", "this is no video")))
	run := r.winnow(3, "run", r.writeJob("drawn", lines, "rediprune-0.15", "random-0.15"), "--json")
	up := r.start("up") // once for all that follows
	r.eventually("the stack is up", func() bool { return r.lasting() || !up.running() })

	good, bad := lines[0].ID, lines[1].ID
	shown := r.winnow(0, "show", run.jobID(), "--item", good).records()
	wantEachOnce(r, shown, lines[:1], "rediprune-0.15", "random-0.15")
	for _, variant := range []string{"rediprune-0.15", "random-0.15"} {
		path := filepath.Join(r.dir, variant+".png")
		r.winnow(0, "show", run.jobID(), "--item", good, "--variant", variant, "--heatmap-out", path)
		if w := r.pictureWidth(path); w < 1000 { // 8 frames are three in a row
			t.Errorf("%s is %d pixels wide, want room for three frames", path, w)
		}
	}

	none := filepath.Join(r.dir, "none.png")
	ambiguous := r.winnow(2, "show", run.jobID(), "--item", good, "--heatmap-out", none)
	failed := r.winnow(1, "show", run.jobID(), "--item", bad, "--variant", "random-0.15", "--heatmap-out", none)
	unknown := r.winnow(1, "show", run.jobID(), "--item", "nobody", "--heatmap-out", none)
	for want, c := range map[string]*command{
		"say --variant, one of rediprune-0.15, random-0.15": ambiguous,
		`item "bad" failed in decode: no tokens were kept`:  failed,
		`has no record of item "nobody"`:                    unknown,
	} {
		if !strings.Contains(c.err.String(), want) {
			t.Errorf("stderr %q, want %q", c.err.String(), want)
		}
	}
	if _, err := os.Stat(none); err == nil {
		t.Errorf("a failure left %s", none)
	}
	up.signal(syscall.SIGINT)
	up.wait(0)
}

func (r *rig) pictureWidth(path string) int {
	r.t.Helper()
	f, err := os.Open(path)
	if err != nil {
		r.t.Fatal(err)
	}
	defer f.Close()
	picture, err := png.Decode(f)
	if err != nil {
		r.t.Fatalf("%s: %v", path, err)
	}
	return picture.Bounds().Dx()
}
