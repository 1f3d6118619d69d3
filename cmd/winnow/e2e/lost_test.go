package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestTemporalLost deletes Temporal's database in mid-job. The job is started again
// from storage alone; what was encoded is not encoded again.
func TestTemporalLost(t *testing.T) {
	r := newRig(t)
	lines := clipLines(r, 12)
	run := r.start("run", r.writeJob("lost", lines, killedVariants...), "--json")
	r.eventually("the job is in the middle", func() bool { return len(r.tokens()) >= 3 || !run.running() })
	run.signal(syscall.SIGINT)
	run.wait(130)
	r.eventually("the stack has stopped", func() bool { _, up := r.supervisor(); return !up })
	encoded := r.tokens()
	if len(encoded) == len(lines) {
		t.Fatal("all videos were encoded before the loss, want it in mid-job: make the job longer")
	}
	before := stamps(r, encoded)
	r.loseTemporal()

	up := r.start("up")
	r.eventually("the stack is up", func() bool { return r.lasting() || !up.running() })
	for from, want := range map[string]string{
		"s3://other/jobs/" + run.jobID():   "this stack keeps its jobs in bucket",
		"s3://winnow/jobs/lost-00000000.1": "lost-00000000.1",
	} {
		if c := r.winnow(1, "resume", "--from", from); !strings.Contains(c.err.String(), want) {
			t.Errorf("resume --from %s: stderr %q, want %q", from, c.err.String(), want)
		}
	}
	if said := r.winnow(1, "watch", run.jobID()).err.String(); !strings.Contains(said, "`winnow resume "+run.jobID()+"` starts it from storage") {
		t.Errorf("watching a job that Temporal has lost says %q", said)
	}
	if said := r.winnow(0, "show", run.jobID()).out.String(); !strings.Contains(said, "held up: Temporal does not know job") {
		t.Errorf("showing it says %q", said)
	}
	r.winnow(2, "resume", "--from", "winnow/jobs/"+run.jobID())
	r.winnow(2, "resume")
	r.winnow(0, "resume", "--from", "s3://winnow/jobs/"+run.jobID())
	r.winnow(0, "watch", run.jobID())
	records := r.winnow(0, "results", run.jobID()).records()
	wantEachOnce(r, records, lines, killedVariants...)
	wantAllOK(r, records)
	if diff := cmp.Diff(before, stamps(r, encoded)); diff != "" {
		t.Errorf("encodes finished before the loss were written again (-before +after):\n%s", diff)
	}
	up.signal(syscall.SIGINT)
	up.wait(0)
}

// loseTemporal removes all that Temporal stores.
func (r *rig) loseTemporal() {
	r.t.Helper()
	files, err := filepath.Glob(filepath.Join(r.state, "temporal.*"))
	if err != nil || len(files) == 0 {
		r.t.Fatalf("%v of Temporal in %s (%v), want its database", files, r.state, err)
	}
	for _, file := range files {
		if err := os.Remove(file); err != nil {
			r.t.Fatal(err)
		}
	}
}
