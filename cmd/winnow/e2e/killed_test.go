package e2e

import (
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// killedVariants make a job's later stages long enough to be caught in the middle.
var killedVariants = []string{"rediprune-0.15", "rediprune-0.5", "uniform-0.15", "random-0.15"}

// TestKilled kills one program in mid-job, where nothing can be tidied up, and
// wants the job to end with every item answered once and no encode repeated.
func TestKilled(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		encoded int // videos, before it is killed
		kill    func(r *rig, run *command)
	}{
		{"winnow", 3, func(r *rig, run *command) {
			up, ok := r.supervisor()
			if !ok {
				r.t.Fatal("no up.json, want the running supervisor's")
			}
			run.signal(syscall.SIGKILL)
			r.kill("the supervisor", up.PID)
			<-run.exited
		}},
		{"supervisor", 3, func(r *rig, _ *command) {
			up, ok := r.supervisor()
			if !ok {
				r.t.Fatal("no up.json, want the running supervisor's")
			}
			r.kill("the supervisor", up.PID)
		}},
		{"winnow-devstack", 3, func(r *rig, _ *command) { r.kill("winnow-devstack", r.child("devstack").PID) }},
		{"winnow-infer", 3, func(r *rig, _ *command) { r.kill("winnow-infer", r.child("infer").PID) }},
		{"winnow-decode", 0, func(r *rig, _ *command) { r.killDecoder() }}, // decoding runs far ahead
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newRig(t)
			lines := clipLines(r, 12)
			file := r.writeJob("killed", lines, killedVariants...)
			run := r.start("run", file, "--json")
			r.eventually("the job is in the middle", func() bool {
				_, up := r.supervisor()
				return up && len(r.tokens()) >= test.encoded || !run.running()
			})
			test.kill(r, run)
			encoded := r.tokens()
			if len(encoded) == len(lines) {
				t.Fatal("all videos were encoded before the kill, want it in mid-job: make the job longer")
			}
			before := stamps(r, encoded)
			survives(r, run, file, lines)
			if diff := cmp.Diff(before, stamps(r, encoded)); diff != "" {
				t.Errorf("encodes finished before the kill were written again (-before +after):\n%s", diff)
			}
			if got := len(r.tokens()); got != len(lines) {
				t.Errorf("%d encoded videos in the store, want %d: one a clip", got, len(lines))
			}
		})
	}
}

// survives waits for a run that lives on, else gives the same command again, and
// wants every item answered once.
func survives(r *rig, run *command, file string, lines []line) {
	r.t.Helper()
	wantOutcome := "started"
	if !run.running() {
		first := jobLine.FindStringSubmatch(run.err.String())
		run = r.start("run", file, "--json")
		defer func() {
			if id, _ := run.job(); first == nil || id != first[1] {
				r.t.Errorf("the same command went on with job %s, want the killed run's %v", id, first)
			}
		}()
		wantOutcome = "resumed"
	}
	run.wait(0)
	if _, outcome := run.job(); outcome != wantOutcome {
		r.t.Errorf("the job was %s, want it %s", outcome, wantOutcome)
	}
	records := run.records()
	wantEachOnce(r, records, lines, killedVariants...)
	wantAllOK(r, records)
}

func (r *rig) kill(name string, pid int) {
	r.t.Helper()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		r.t.Fatalf("kill -9 of %s (process %d): %v, want it running", name, pid, err)
	}
}
