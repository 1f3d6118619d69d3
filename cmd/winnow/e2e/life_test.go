package e2e

import (
	"encoding/json"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/winnow-video/winnow/workflows/artifact"
	"github.com/winnow-video/winnow/workflows/artifact/life"
)

// TestArtifactsAge lets what a job made grow old. A sweep removes it, but not what
// another job has used since; what is missing is made again, to the same records.
func TestArtifactsAge(t *testing.T) {
	r := newRig(t)
	up := r.start("up")
	r.eventually("the stack is up", func() bool { return r.lasting() || !up.running() })
	lines := clipLines(r, 3)
	first := r.winnow(0, "run", r.writeJob("aging", lines), "--json")

	r.age(40*24*time.Hour, "v1/*/clip/*", "v1/*/tokens/*", "v1/*/kept/*")
	used := r.winnow(0, "run", r.writeJob("using", lines[:1], "rediprune-0.3"), "--json")
	swept := r.swept("gc", "--json")
	if swept["tokens"].Left.Objects != 1 || swept["tokens"].Removed.Objects != 2 {
		t.Errorf("tokens %+v, want those of two videos to go and those used since to stay", swept["tokens"])
	}
	if swept["clip"].Left.Objects != 0 || swept["answer"].Removed.Objects != 0 {
		t.Errorf("%+v, want all clips to go, of which only tokens were used, and all answers to stay", swept)
	}
	if again := r.swept("gc", "--json"); again["tokens"].Removed.Objects != 0 {
		t.Errorf("a second sweep removed %+v", again["tokens"])
	}
	anew := r.winnow(0, "run", r.writeJob("anew", lines, "rediprune-0.3"), "--json")
	wantAllOK(r, append(anew.records(), used.records()...))
	if n := len(r.winnow(0, "results", first.jobID()).records()); n != len(lines) {
		t.Errorf("%d records of the first job are left, want %d", n, len(lines))
	}
	up.signal(syscall.SIGINT)
	up.wait(0)
}

// TestForget removes what was derived of one video, then of a job, and leaves the records.
func TestForget(t *testing.T) {
	r := newRig(t)
	up := r.start("up")
	r.eventually("the stack is up", func() bool { return r.lasting() || !up.running() })
	lines := clipLines(r, 3)
	lines = append(lines, question("bad", r.write("bad.mp4", "this is no video")))
	run := r.winnow(3, "run", r.writeJob("forgotten", lines), "--json")

	var receipt life.Receipt
	if err := json.Unmarshal(r.winnow(0, "forget", lines[0].Video).out.Bytes(), &receipt); err != nil {
		t.Fatal(err)
	}
	for _, kind := range life.Kinds {
		if receipt.Removed[kind].Objects != 1 {
			t.Errorf("removed %+v, want one of every kind", receipt.Removed)
		}
	}
	if left := r.objects("v1/" + receipt.Source + "/*/*"); len(left) > 0 || len(r.tokens()) != 2 {
		t.Errorf("left of the video: %v; tokens: %v", left, r.tokens())
	}
	r.winnow(0, "forget", run.jobID())
	if left := r.objects("v1/*/*/*"); len(left) > 0 {
		t.Errorf("left of the job: %v", left)
	}
	if n := len(r.winnow(0, "results", run.jobID()).records()); n != len(lines) {
		t.Errorf("%d records are left, want %d", n, len(lines))
	}
	if receipts := r.objects("forgotten/*"); len(receipts) < 3 {
		t.Errorf("receipts: %v, want one a video", receipts)
	}
	for _, args := range [][]string{{"forget", "nothere.mp4"}, {"forget", "forgotten-00000000.1"}} {
		if c := r.winnow(1, args...); !strings.Contains(c.err.String(), args[1]) {
			t.Errorf("stderr %q, want it to name %s", c.err.String(), args[1])
		}
	}
	up.signal(syscall.SIGINT)
	up.wait(0)
}

// age makes stored objects look as if they had been stored so long ago.
func (r *rig) age(by time.Duration, patterns ...string) {
	r.t.Helper()
	then := time.Now().Add(-by)
	for _, pattern := range patterns {
		for _, path := range r.objects(pattern) {
			if err := os.Chtimes(path, then, then); err != nil {
				r.t.Fatal(err)
			}
		}
	}
}

func (r *rig) swept(args ...string) map[artifact.Kind]life.Swept {
	r.t.Helper()
	var report map[artifact.Kind]life.Swept
	if err := json.Unmarshal(r.winnow(0, args...).out.Bytes(), &report); err != nil {
		r.t.Fatal(err)
	}
	return report
}
