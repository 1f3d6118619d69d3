package e2e

import (
	"os"
	"os/exec"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/winnow-video/winnow/workflows/job"
)

// TestBadVideos runs good clips among bad ones; then the same command again, which
// is answered from what the first left in the store.
func TestBadVideos(t *testing.T) {
	r := newRig(t)
	lines, want := badLines(r)
	file := r.writeJob("bad", lines)

	first := r.winnow(3, "run", file, "--json")
	records := first.records()
	wantEachOnce(r, records, lines, "rediprune-0.15")
	wantFailed(r, records, want)
	id, _ := first.job()
	union := r.finalRecords(id)
	for _, one := range records {
		if union[one.ID+" "+one.Variant] != one.Status {
			t.Errorf("%s is %q in results.jsonl and errors.jsonl, want %q", one.ID, union[one.ID+" "+one.Variant], one.Status)
		}
	}
	if len(union) != len(lines) {
		t.Errorf("results.jsonl and errors.jsonl hold %d records, want the manifest's %d", len(union), len(lines))
	}
	againFromCache(r, file, id, records)
}

// Frames beyond the model's context are refused before they are encoded, where only
// decoding tells how many they are; the words are the same where the clip is there already.
func TestTooManyFramesAreNotEncoded(t *testing.T) {
	r := newRig(t)
	lines := clipLines(r, 1)
	file := r.writeJob("long", lines)
	args := []string{"run", file, "--json", "--method", "none", "--fps", "8"}
	first := r.winnow(3, args...)
	wantFailed(r, first.records(), map[string]job.Code{lines[0].ID: job.ConfigContext})
	again := r.winnow(3, args...)
	if tokens := r.tokens(); len(tokens) > 0 {
		r.t.Errorf("they were encoded: %v", tokens)
	}
	volatile := cmpopts.IgnoreFields(job.Record{}, "Job", "Run")
	if diff := cmp.Diff(first.records(), again.records(), volatile); diff != "" {
		r.t.Errorf("second run differs beyond run and job (-first +second):\n%s", diff)
	}
}

// againFromCache repeats a run and wants equal records without any inference.
func againFromCache(r *rig, file, firstID string, records []job.Record) {
	r.t.Helper()
	const inferLog = "infer-demo.log"
	starts, before := r.starts(inferLog), stamps(r, r.tokens())
	second := r.winnow(3, "run", file, "--json")
	id, outcome := second.job()
	if id == firstID || outcome != "started" {
		r.t.Errorf("the second run is job %s, %s; want a new run after %s, which has finished", id, outcome, firstID)
	}
	volatile := cmpopts.IgnoreFields(job.Record{}, "Job", "Run")
	if diff := cmp.Diff(records, second.records(), volatile); diff != "" {
		r.t.Errorf("second run differs beyond run and job (-first +second):\n%s", diff)
	}
	if diff := cmp.Diff(before, stamps(r, r.tokens())); diff != "" {
		r.t.Errorf("the second run encoded again (-before +after):\n%s", diff)
	}
	if n := r.starts(inferLog); n != starts {
		r.t.Errorf("winnow-infer started %d times, and %d before the second run", n, starts)
	}
	sum := r.summary(id)
	if sum.Stages.Cached.Answers != sum.Stages.OK {
		r.t.Errorf("summary of %s: %d answers cached, want all %d", id, sum.Stages.Cached.Answers, sum.Stages.OK)
	}
}

// badLines are four clips, and between them one video of every bad kind with the
// code it must fail with.
func badLines(r *rig) ([]line, map[string]job.Code) {
	r.t.Helper()
	good := clipLines(r, 4)
	whole, err := os.ReadFile(good[0].Video)
	if err != nil {
		r.t.Fatal(err)
	}
	r.write("empty.mp4", "")
	r.write("truncated.mp4", string(whole[:len(whole)*2/3]))
	r.write("text.mp4", "This is not a video. It only says that it is one, in words.\n")
	r.ffmpeg("-f", "lavfi", "-i", "sine=duration=1", "-c:a", "aac", "audio.m4a")
	r.ffmpeg("-f", "lavfi", "-i", "testsrc2=size=64x64:rate=10:duration=1", "-c:v", "mpeg4", "-frames:v", "0", "frameless.avi")
	lines := []line{
		good[0], question("missing", "nowhere.mp4"), question("empty", "empty.mp4"), good[1], question("truncated", "truncated.mp4"),
		question("audio", "audio.m4a"), good[2], question("text", "text.mp4"), question("frameless", "frameless.avi"), good[3],
	}
	return lines, map[string]job.Code{
		"missing": job.InputMissing, "empty": job.InputEmpty, "truncated": job.InputTruncated,
		"audio": job.InputNoVideo, "text": job.InputNotVideo, "frameless": job.InputNoFrames,
	}
}

// ffmpeg makes a file in the rig's folder.
func (r *rig) ffmpeg(args ...string) {
	r.t.Helper()
	cmd := exec.Command("ffmpeg", append([]string{"-v", "error", "-y"}, args...)...)
	cmd.Dir = r.dir
	if out, err := cmd.CombinedOutput(); err != nil {
		r.t.Fatalf("ffmpeg %v: %v (make setup installs it): %s", args, err, out)
	}
}
