package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestRunsShareAStack runs a job, the same job and another one at once in one
// folder: one stack serves them, and each prints its own records.
func TestRunsShareAStack(t *testing.T) {
	r := newRig(t)
	lines := clipLines(r, 8)
	mine, other := lines[:5], lines[5:]
	one := r.start("run", r.writeJob("mine", mine), "--json")
	same := r.start("run", filepath.Join(r.dir, "mine.yaml"), "--json")
	second := r.start("run", r.writeJob("other", other), "--json")
	for _, run := range []*command{one, same, second} {
		run.wait(0)
	}
	wantEachOnce(r, one.records(), mine, "rediprune-0.15")
	wantEachOnce(r, second.records(), other, "rediprune-0.15")
	wantAllOK(r, append(one.records(), second.records()...))
	if diff := cmp.Diff(one.records(), same.records()); diff != "" {
		t.Errorf("two runs of the same job print different records (-one +other):\n%s", diff)
	}
	if a, b := one.jobID(), same.jobID(); a != b {
		t.Errorf("the same command at once made jobs %s and %s, want one", a, b)
	}
	for _, log := range []string{"devstack.log", "infer-demo.log"} {
		if n := r.starts(log); n != 1 {
			t.Errorf("%s: started %d times, want one stack for all", log, n)
		}
	}
}

// starts counts how often the program that writes a log became ready.
func (r *rig) starts(log string) int {
	r.t.Helper()
	text, err := os.ReadFile(filepath.Join(r.state, "logs", log))
	if err != nil {
		r.t.Fatal(err)
	}
	return strings.Count("\n"+string(text), "\nready")
}
