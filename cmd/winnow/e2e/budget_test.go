package e2e

import (
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/winnow-video/winnow/workflows/job"
)

// TestBudget spends a budget on a fraction of a job: what has ended is printed and
// stays readable, the same command says what is in the way, and with a larger budget
// goes on with the same job. What a canceled one left open is the budget's.
func TestBudget(t *testing.T) {
	r := newRig(t)
	defer r.keepUp()()
	lines := clipLines(r, 40) // more than run at once
	file := r.writeJob("thrifty", lines)
	run := r.winnow(4, "run", file, "--json", "--budget-gpu-seconds", "0.001")
	id := run.jobID()
	wantSpent(t, run, id)
	partial := run.records()
	wantAllOK(r, partial)
	if n := len(partial); n == 0 || n == len(lines) {
		t.Errorf("%d of %d records of a job that its budget has paused, want some", n, len(lines))
	}
	wantSpent(t, r.winnow(4, "run", file, "--json", "--budget-gpu-seconds", "0.001"), id)
	wantSpent(t, r.winnow(4, "watch", id), id)
	wantSpent(t, r.winnow(4, "resume", id), id)
	if c := r.winnow(2, "resume", id, "--budget-money", "1"); !strings.Contains(c.err.String(), "budget.price_per_gpu_hour") {
		t.Errorf("money without a price: %s", c.err.String())
	}
	if shown := r.winnow(0, "show", id).out.String(); !strings.Contains(shown, "of 0.001 s are spent") {
		t.Errorf("show does not say why it is paused:\n%s", shown)
	}
	if shown := r.show(id).Status; !shown.Halted() || shown.DeviceUS < 1000 || shown.Tally.OK != len(partial) {
		t.Errorf("status %+v, want it paused by its budget after %d records", shown, len(partial))
	}
	on := r.winnow(0, "run", file, "--json", "--budget-gpu-seconds", "3600")
	if again, outcome := on.job(); again != id || outcome != "resumed" {
		t.Errorf("with a larger budget job %s %s, want %s resumed", again, outcome, id)
	}
	wantEachOnce(r, on.records(), lines, "rediprune-0.15")
	wantAllOK(r, on.records())
	if used := r.summary(id).Stages.DeviceUS; used < 1000 {
		t.Errorf("%d µs on devices in all", used)
	}
}

func TestCancelAtTheBudget(t *testing.T) {
	r := newRig(t)
	defer r.keepUp()()
	lines := clipLines(r, 40)
	run := r.winnow(4, "run", r.writeJob("stopped", lines), "--json", "--budget-money", "0.001", "--budget-price-per-gpu-hour", "3600")
	partial := run.records()
	r.winnow(0, "cancel", run.jobID())
	r.winnow(4, "watch", run.jobID())
	all := r.winnow(0, "results", run.jobID()).records()
	wantEachOnce(r, all, lines, "rediprune-0.15")
	var ended []job.Record
	for _, one := range all {
		switch {
		case one.Failure == nil:
			ended = append(ended, one)
		case one.Failure.Code != job.BudgetSpent:
			t.Errorf("%s ended as %v, want %s", one.ID, one.Failure, job.BudgetSpent)
		}
	}
	if diff := cmp.Diff(partial, ended); diff != "" {
		t.Errorf("the cancel changed what had ended (-before +after):\n%s", diff)
	}
}

// keepUp starts a stack that outlives its users, until it is stopped.
func (r *rig) keepUp() (stop func()) {
	r.t.Helper()
	up := r.start("up")
	r.eventually("the stack is up", func() bool { return r.lasting() || !up.running() })
	return func() {
		up.signal(syscall.SIGINT)
		up.wait(0)
	}
}

// wantSpent wants the command to say which bound was reached, and how to go on.
func wantSpent(t *testing.T, c *command, id string) {
	t.Helper()
	said := c.err.String()
	for _, want := range []string{"job " + id + " is paused: budget.gpu_seconds: ", "winnow resume " + id} {
		if !strings.Contains(said, want) {
			t.Errorf("winnow %v does not say %q:\n%s", c.cmd.Args[1:], want, c.tail())
		}
	}
}
