package control_test

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/winnow-video/winnow/workflows"
	"github.com/winnow-video/winnow/workflows/artifact"
	"github.com/winnow-video/winnow/workflows/artifact/s3store"
	"github.com/winnow-video/winnow/workflows/control"
	"github.com/winnow-video/winnow/workflows/extent"
	"github.com/winnow-video/winnow/workflows/job"
	"github.com/winnow-video/winnow/workflows/stack/stacktest"
)

// TestWorking runs what needs a worker from the start, on one stack.
func TestWorking(t *testing.T) {
	t.Parallel()
	r := alone(t)
	r.work(t)
	for name, test := range map[string]func(*testing.T, *rig){"submit": submit, "retry": retry, "refusals": refusals} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, r)
		})
	}
}

func submit(t *testing.T, r *rig) {
	s := submission(t, "submitted", 5)
	id := r.submit(t, s, control.Started)
	var last control.Progress
	one, err := r.jobs.Watch(t.Context(), id, func(p control.Progress) { last = p })
	if err != nil {
		t.Fatal(err)
	}
	if one.Summary == nil || one.Status.State != job.StateFinished || one.Status.Tally.Failed != 10 || one.Status.Items != 5 {
		t.Errorf("at its end the job is %+v", one)
	}
	if last.State != job.StateFinished || last.Items != 10 {
		t.Errorf("the last picture is %+v", last)
	}
	r.wantAll(t, id, 5, job.ConfigBundle)
	if again := r.submit(t, s, control.Started); again != id.Next() {
		t.Errorf("the finished job again is %s, want %s", again, id.Next())
	}
	r.end(t, id.Next())
	other := s
	other.Spec.Prune = other.Spec.Prune[:1]
	if otherID := r.submit(t, other, control.Started); otherID.Digest == id.Digest || otherID.N != 1 {
		t.Errorf("another spec is %s, beside %s", otherID, id)
	}
}

// Storage that goes away costs watching some pictures, not the job's end.
func TestWatchWaitsForStorage(t *testing.T) {
	t.Parallel()
	r := alone(t)
	id := r.submit(t, submission(t, "watched", 1), control.Started)
	var back, away atomic.Bool // away from the first look on, until back
	config := r.config
	config.Endpoint = stacktest.FrontS3(t, r.config.Endpoint, nil, func(w http.ResponseWriter, req *http.Request) bool {
		if !away.Load() || back.Load() {
			away.CompareAndSwap(false, strings.HasSuffix(req.URL.Path, string(artifact.Part(id.String(), 1)))) // which is looked for last
			return false
		}
		w.WriteHeader(http.StatusBadGateway)
		return true
	}, nil)
	store, err := s3store.Open(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	told := make(chan bool, 1)
	type end struct {
		job control.Job
		err error
	}
	ended := make(chan end, 1)
	go func() {
		one, err := control.New(r.temporal, store, r.bus).Watch(t.Context(), id, func(p control.Progress) {
			if p.Away && !back.Swap(true) {
				told <- true
			}
		})
		ended <- end{one, err}
	}()
	select {
	case <-told:
	case e := <-ended:
		t.Fatalf("watching ended while storage was away: %+v", e)
	}
	r.work(t)
	if e := <-ended; e.err != nil || e.job.Status.State != job.StateFinished {
		t.Errorf("watching ended with %+v", e)
	}
}

func retry(t *testing.T, r *rig) {
	id := r.submit(t, submission(t, "retried", 4), control.Started)
	r.end(t, id)
	if n, err := r.jobs.Retry(t.Context(), id, []job.Kind{job.KindModel, job.KindCapacity}); n != 0 || err != nil {
		t.Errorf("retry of kinds that nothing failed with: %d, %v", n, err)
	}
	for i, kinds := range [][]job.Kind{{job.KindModel, job.KindConfig}, nil} {
		if n, err := r.jobs.Retry(t.Context(), id, kinds); n != 8 || err != nil {
			t.Fatalf("retry: %d items, %v, want all 8", n, err)
		}
		if one := r.end(t, id); one.Status.Generation != i+1 || one.Status.Tally.Failed != 8 {
			t.Errorf("after retry %d the job is %+v", i+1, one.Status)
		}
		if _, err := r.store.Stat(t.Context(), artifact.PageRecords(id.String(), i+1, 0)); err != nil {
			t.Errorf("retry %d wrote no records: %v", i+1, err)
		}
		r.wantAll(t, id, 4, job.ConfigBundle)
	}
}

func refusals(t *testing.T, r *rig) {
	id := r.submit(t, submission(t, "finished", 1), control.Started)
	r.end(t, id)
	nobodys := job.ID{Name: "nobodys", Digest: "01234567", N: 1}
	for verb, do := range map[string]func(job.ID) error{
		"pause":  func(id job.ID) error { return r.jobs.Pause(t.Context(), id) },
		"resume": func(id job.ID) error { return r.jobs.Resume(t.Context(), id) },
		"cancel": func(id job.ID) error { return r.jobs.Cancel(t.Context(), id) },
		"show":   func(id job.ID) error { _, err := r.jobs.Show(t.Context(), id); return err },
		"watch":  func(id job.ID) error { _, err := r.jobs.Watch(t.Context(), id, func(control.Progress) {}); return err },
		"retry":  func(id job.ID) error { _, err := r.jobs.Retry(t.Context(), id, nil); return err },
	} {
		if err := do(nobodys); !errors.Is(err, control.ErrNoJob) {
			t.Errorf("%s of a job that is not there: %v, want ErrNoJob", verb, err)
		}
		if verb == "pause" || verb == "resume" || verb == "cancel" {
			if err := do(id); err == nil || !strings.Contains(err.Error(), "is finished already") {
				t.Errorf("%s of a finished job: %v", verb, err)
			}
		}
	}
}

func TestShowAndList(t *testing.T) {
	t.Parallel()
	r := alone(t)
	first := r.submit(t, submission(t, "first", 2), control.Started)
	second := r.submit(t, submission(t, "second", 3), control.Started)
	shown, err := r.jobs.Show(t.Context(), second)
	if err != nil {
		t.Fatal(err)
	}
	if shown.ID != second || shown.Spec.Name != "second" || shown.Status.Items != 3 || shown.Status.State != job.StateRunning {
		t.Errorf("Show: %+v", shown)
	}
	listed := map[job.ID]int{}
	for one, err := range r.jobs.List(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		listed[one.ID] = one.Status.Items
	}
	if diff := cmp.Diff(map[job.ID]int{first: 2, second: 3}, listed); diff != "" {
		t.Errorf("List (-want +got):\n%s", diff)
	}
	if _, err := r.jobs.Retry(t.Context(), first, nil); err == nil || !strings.Contains(err.Error(), "once it has finished") {
		t.Errorf("retry of an unfinished job: %v", err)
	}
}

// TestSteering does something to jobs that nobody works on yet, then starts a
// worker and looks at what became of them.
func TestSteering(t *testing.T) {
	t.Parallel()
	r := alone(t)
	checks := map[string]func(*testing.T){}
	for name, prepare := range map[string]func(*testing.T, *rig) func(*testing.T){
		"unfinished": unfinished, "resumed": pauseAndResume, "woken": submitWakes, "added": addWhilePaused,
		"canceled": cancelPaused, "forgotten": cancelForgotten,
	} {
		checks[name] = prepare(t, r)
	}
	r.work(t)
	for name, check := range checks {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			check(t)
		})
	}
}

func unfinished(t *testing.T, r *rig) func(*testing.T) {
	s := submission(t, "unfinished", 2)
	id := r.submit(t, s, control.Started)
	if again := r.submit(t, s, control.Resumed); again != id {
		t.Errorf("the unfinished job again is %s, want %s", again, id)
	}
	if codes := r.codes(t, id); len(codes) != 0 {
		t.Errorf("a job that nobody worked on has records: %v", codes)
	}
	s.New = true
	fresh := r.submit(t, s, control.Started)
	if fresh != id.Next() {
		t.Errorf("a new run is %s, want %s", fresh, id.Next())
	}
	return func(t *testing.T) {
		r.end(t, id)
		r.end(t, fresh)
	}
}

func (r *rig) pause(t *testing.T, s control.Submission) job.ID {
	t.Helper()
	id := r.submit(t, s, control.Started)
	if err := r.jobs.Pause(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	return id
}

func pauseAndResume(t *testing.T, r *rig) func(*testing.T) {
	id := r.pause(t, submission(t, "resumed", 4))
	return func(t *testing.T) {
		r.await(t, id, job.StatePaused)
		if err := r.jobs.Resume(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		r.end(t, id)
		r.wantAll(t, id, 4, job.ConfigBundle)
	}
}

// addWhilePaused adds lines before and while a worker runs the job, and once more.
func addWhilePaused(t *testing.T, r *rig) func(*testing.T) {
	id := r.pause(t, submission(t, "added", 2))
	more := submission(t, "more", 6)
	r.add(t, id, more.Items[2:4], true)
	return func(t *testing.T) {
		r.await(t, id, job.StatePaused)
		r.add(t, id, more.Items[4:], true)
		r.add(t, id, more.Items[2:4], false)
		if _, err := r.jobs.Add(t.Context(), id, extent.Addition{File: "more.jsonl", Items: more.Items[1:2], Manifest: more.Manifest}); err == nil ||
			err.Error() != `more.jsonl:2: id: "q1" is in the job already` {
			t.Errorf("an id that the job has: %v", err)
		}
		if err := r.jobs.Resume(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		if one := r.end(t, id); one.Status.Items != 6 || one.Status.Tally.Failed != 12 || one.Summary.Items != 6 {
			t.Errorf("at its end the job is %+v", one)
		}
		r.wantAll(t, id, 6, job.ConfigBundle)
		if _, err := r.jobs.Add(t.Context(), id, extent.Addition{Items: submission(t, "late", 9).Items[6:]}); err == nil || !strings.Contains(err.Error(), "is finished already: submit") {
			t.Errorf("adding to a finished job: %v", err)
		}
	}
}

func (r *rig) add(t *testing.T, id job.ID, items []job.Item, want bool) {
	t.Helper()
	added, err := r.jobs.Add(t.Context(), id, extent.Addition{File: "more.jsonl", Items: items, Manifest: strings.NewReader("as written")})
	if err != nil || added != want {
		t.Fatalf("Add: %v, %v, want %v", added, err, want)
	}
}

func submitWakes(t *testing.T, r *rig) func(*testing.T) {
	s := submission(t, "woken", 4)
	id := r.pause(t, s)
	return func(t *testing.T) {
		r.await(t, id, job.StatePaused)
		r.submit(t, s, control.Resumed)
		r.end(t, id)
		r.wantAll(t, id, 4, job.ConfigBundle)
	}
}

func cancelPaused(t *testing.T, r *rig) func(*testing.T) {
	id := r.pause(t, submission(t, "canceled", 4))
	return func(t *testing.T) {
		r.await(t, id, job.StatePaused)
		if err := r.jobs.Cancel(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		if one := r.end(t, id); one.Status.State != job.StateCanceled || one.Summary == nil {
			t.Errorf("at its end the job is %+v", one)
		}
		r.wantAll(t, id, 4, job.CanceledJob)
	}
}

// cancelForgotten cancels a job that Temporal does not run: it ends in full, too.
func cancelForgotten(t *testing.T, r *rig) func(*testing.T) {
	id := r.submit(t, submission(t, "forgotten", 2), control.Started)
	if err := r.temporal.TerminateWorkflow(t.Context(), workflows.JobWorkflowID(id.String()), "", "test"); err != nil {
		t.Fatal(err)
	}
	if err := r.jobs.Cancel(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	return func(t *testing.T) {
		if one := r.end(t, id); one.Status.State != job.StateCanceled {
			t.Errorf("at its end the job is %+v", one)
		}
		r.wantAll(t, id, 2, job.CanceledJob)
	}
}

// Temporal's database is deleted under an unfinished job; what the store holds is enough.
func TestResumeFromTheStoreAlone(t *testing.T) {
	t.Parallel()
	state := t.TempDir()
	d := stacktest.StartIn(t, state)
	before := connect(t, d.Services)
	id := before.submit(t, submission(t, "rebuilt", 3), control.Started)
	before.add(t, id, submission(t, "more", 5).Items[3:], true)
	if err := d.Stop(); err != nil {
		t.Fatal(err)
	}
	left, err := filepath.Glob(filepath.Join(state, "temporal*"))
	if err != nil || len(left) == 0 {
		t.Fatalf("no database of Temporal's in %s: %v", state, err)
	}
	for _, file := range left {
		if err := os.RemoveAll(file); err != nil {
			t.Fatal(err)
		}
	}
	r := connect(t, stacktest.StartIn(t, state).Services)
	if err := r.jobs.Pause(t.Context(), id); err == nil || !strings.Contains(err.Error(), "winnow resume "+id.String()) {
		t.Errorf("Pause of a job that Temporal forgot: %v, want the way to start it", err)
	}
	if err := r.jobs.Resume(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	r.work(t)
	r.end(t, id)
	r.wantAll(t, id, 5, job.ConfigBundle)
}
