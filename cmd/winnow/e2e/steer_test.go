package e2e

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/winnow-video/winnow/workflows/control"
	"github.com/winnow-video/winnow/workflows/job"
)

// TestInterrupted stops a run with ^C and gives the same command again.
func TestInterrupted(t *testing.T) {
	r := newRig(t)
	lines := clipLines(r, 12)
	file := r.writeJob("stopped", lines, killedVariants...)
	run := r.start("run", file, "--json")
	r.eventually("the job has encoded a video", func() bool { return len(r.tokens()) > 0 || !run.running() })
	run.signal(syscall.SIGINT)
	run.wait(130)
	if !strings.Contains(run.err.String(), "Go on with the same command") {
		t.Errorf("stderr does not say how to go on:\n%s", run.tail())
	}
	r.eventually("the stack has stopped", func() bool { _, up := r.supervisor(); return !up })
	before := stamps(r, r.tokens())
	again := r.winnow(0, "run", file, "--json")
	if id, outcome := again.job(); id != run.jobID() || outcome != "resumed" {
		t.Errorf("the same command: job %s %s, want %s resumed", id, outcome, run.jobID())
	}
	wantEachOnce(r, again.records(), lines, killedVariants...)
	wantAllOK(r, again.records())
	if diff := cmp.Diff(before, stamps(r, slices.Collect(maps.Keys(before)))); diff != "" {
		t.Errorf("encodes finished before ^C were written again (-before +after):\n%s", diff)
	}
}

// TestSteering drives a lasting stack as its user does: submit, look, pause, add,
// resume, watch, retry, cancel, stop.
func TestSteering(t *testing.T) {
	r := newRig(t)
	r.winnow(0, "ls") // leaves a stack that is stopping
	up := r.start("up")
	r.eventually("the stack is up", func() bool { return r.lasting() || !up.running() })
	r.winnow(1, "up")

	lines := clipLines(r, 26) // more than run at once, so that a paused job cannot end
	lines[2].Video = "later.mp4"
	r.writeJob("more", lines[24:])
	id := r.submit(r.writeJob("steered", lines[:24]))
	r.pause(id)
	r.added(id)
	r.winnow(0, "resume", id)
	watched := r.winnow(3, "watch", id)
	if !strings.Contains(watched.out.String(), id) {
		t.Errorf("watch ends with %q, want where the job's results are", watched.out.String())
	}
	first := r.winnow(0, "results", id).records()
	wantEachOnce(r, first, lines, "rediprune-0.15")
	wantFailed(r, first, map[string]job.Code{lines[2].ID: job.InputMissing})
	r.retried(id, lines, first)
	if said := r.winnow(1, "add", id, "more.jsonl").err.String(); !strings.Contains(said, "is finished already: submit the lines as a job of their own") {
		t.Errorf("adding to a finished job says %q", said)
	}

	other := r.submit(r.writeJob("canceled", clipLines(r, 26), killedVariants...))
	r.pause(other)
	r.winnow(0, "results", other) // of a running job: what has closed, perhaps nothing
	r.winnow(0, "cancel", other)
	r.winnow(4, "watch", other)
	r.canceled(other)

	up.signal(syscall.SIGINT)
	up.wait(0)
	if n := r.starts("devstack.log"); n != 2 {
		t.Errorf("the commands started %d stacks, want the first one's and the lasting one", n)
	}
}

// lasting says whether a stack runs that outlives its users.
func (r *rig) lasting() bool {
	var up struct{ Lasting bool }
	return readJSON(filepath.Join(r.state, "up.json"), &up) && up.Lasting
}

func (r *rig) pause(id string) {
	r.t.Helper()
	r.winnow(0, "pause", id)
	r.eventually("the job is paused", func() bool { return r.show(id).Status.State == job.StatePaused })
}

// added adds lines to a job, twice, of which the second time changes nothing.
func (r *rig) added(id string) {
	r.t.Helper()
	for _, want := range []string{"added 2 items to job " + id, "nothing added"} {
		if said := r.winnow(0, "add", id, "more.jsonl").err.String(); !strings.Contains(said, want) {
			r.t.Errorf("add says %q, want %q", said, want)
		}
	}
	if said := r.winnow(2, "add", id, "steered.jsonl").err.String(); !strings.Contains(said, `steered.jsonl:1: id: "q00" is in the job already`) {
		r.t.Errorf("adding the job's own lines says %q, want them named", said)
	}
}

// retried gives the missing video and retries what its absence failed, no more.
func (r *rig) retried(id string, lines []line, first []job.Record) {
	r.t.Helper()
	clip, err := os.ReadFile(lines[3].Video)
	if err != nil {
		r.t.Fatal(err)
	}
	r.write("later.mp4", string(clip))
	if none := r.winnow(0, "retry", id, "--kind", "capacity"); !strings.Contains(none.err.String(), "nothing to do") {
		r.t.Errorf("retry of a kind that no item failed with says %q, want that there is nothing to do", none.err.String())
	}
	r.winnow(0, "retry", id, "--kind", "input")
	second := r.winnow(0, "results", id).records()
	wantEachOnce(r, second, lines, "rediprune-0.15")
	wantAllOK(r, second)
	others := cmpopts.IgnoreSliceElements(func(one job.Record) bool { return one.ID == lines[2].ID })
	if diff := cmp.Diff(first, second, others); diff != "" {
		r.t.Errorf("retrying one item changed others (-before +after):\n%s", diff)
	}
	if n := len(r.winnow(0, "results", id, "--status", "failed").records()); n != 0 {
		r.t.Errorf("%d failed records after the retry, want none", n)
	}
}

// canceled wants every item once, done before the cancel or canceled by it.
func (r *rig) canceled(id string) {
	r.t.Helper()
	records := r.winnow(0, "results", id).records()
	wantEachOnce(r, records, clipLines(r, 26), killedVariants...)
	stopped := 0
	for _, one := range records {
		if one.Failure == nil {
			continue
		}
		stopped++
		if one.Failure.Kind != job.KindCanceled {
			r.t.Errorf("%s: %v, want it answered or canceled", one.ID, one.Failure)
		}
	}
	if stopped == 0 {
		r.t.Error("every item was answered before the cancel, want it in mid-job: make the job longer")
	}
	if state := r.show(id).Status.State; state != job.StateCanceled {
		r.t.Errorf("show says %s, want canceled", state)
	}
	if list := r.winnow(0, "ls").out.String(); !strings.Contains(list, id) {
		r.t.Errorf("ls does not name %s:\n%s", id, list)
	}
}

// submit hands a job to the running stack and returns its id.
func (r *rig) submit(file string) string {
	r.t.Helper()
	var said struct{ ID, Outcome string }
	out := r.winnow(0, "submit", file, "--json").out.Bytes()
	if err := json.Unmarshal(out, &said); err != nil || said.Outcome != "started" {
		r.t.Fatalf("submit %s said %s (%v), want a job started", filepath.Base(file), out, err)
	}
	return said.ID
}

func (r *rig) show(id string) control.Job {
	r.t.Helper()
	var one control.Job
	if err := json.Unmarshal(r.winnow(0, "show", id, "--json").out.Bytes(), &one); err != nil {
		r.t.Fatal(err)
	}
	return one
}
