package control_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/winnow-video/winnow/workflows"
	"github.com/winnow-video/winnow/workflows/artifact"
	"github.com/winnow-video/winnow/workflows/control"
	"github.com/winnow-video/winnow/workflows/job"
	"github.com/winnow-video/winnow/workflows/stack/stacktest"
)

func TestSubmit(t *testing.T) {
	t.Parallel()
	r := shared(t)
	s := submission(t, 5)
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
	if diff := cmp.Diff(all(5, job.ConfigBundle), r.codes(t, id)); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
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

func TestShowAndList(t *testing.T) {
	t.Parallel()
	r := alone(t)
	first := r.submit(t, submission(t, 2), control.Started)
	second := r.submit(t, submission(t, 3), control.Started)
	shown, err := r.jobs.Show(t.Context(), second)
	if err != nil {
		t.Fatal(err)
	}
	if shown.ID != second || shown.Spec.Name != name(t) || shown.Status.Items != 3 || shown.Status.State != job.StateRunning {
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
}

func TestUnfinishedIsResumed(t *testing.T) {
	t.Parallel()
	r := alone(t)
	s := submission(t, 2)
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
	r.work(t)
	r.end(t, id)
	r.end(t, fresh)
}

func TestPauseAndResume(t *testing.T) {
	t.Parallel()
	r := alone(t)
	s := submission(t, 4)
	id := r.submit(t, s, control.Started)
	if err := r.jobs.Pause(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	r.work(t)
	r.await(t, id, job.StatePaused)
	if err := r.jobs.Resume(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	r.end(t, id)
	if diff := cmp.Diff(all(4, job.ConfigBundle), r.codes(t, id)); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
}

func TestSubmitWakesAPausedJob(t *testing.T) {
	t.Parallel()
	r := alone(t)
	s := submission(t, 4)
	id := r.submit(t, s, control.Started)
	if err := r.jobs.Pause(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	r.work(t)
	r.await(t, id, job.StatePaused)
	r.submit(t, s, control.Resumed)
	r.end(t, id)
}

func TestCancel(t *testing.T) {
	t.Parallel()
	r := alone(t)
	id := r.submit(t, submission(t, 4), control.Started)
	if err := r.jobs.Pause(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	r.work(t)
	r.await(t, id, job.StatePaused)
	if err := r.jobs.Cancel(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if one := r.end(t, id); one.Status.State != job.StateCanceled || one.Summary == nil {
		t.Errorf("at its end the job is %+v", one)
	}
	if diff := cmp.Diff(all(4, job.CanceledJob), r.codes(t, id)); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
}

// A job that Temporal forgot is canceled in full, too.
func TestCancelAfterTermination(t *testing.T) {
	t.Parallel()
	r := alone(t)
	id := r.submit(t, submission(t, 2), control.Started)
	r.terminate(t, id)
	if err := r.jobs.Cancel(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	r.work(t)
	if one := r.end(t, id); one.Status.State != job.StateCanceled {
		t.Errorf("at its end the job is %+v", one)
	}
	if diff := cmp.Diff(all(2, job.CanceledJob), r.codes(t, id)); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
}

// Temporal's database is deleted under an unfinished job; what the store holds is enough.
func TestResumeFromTheStoreAlone(t *testing.T) {
	t.Parallel()
	state := t.TempDir()
	d := stacktest.StartIn(t, state)
	id := connect(t, d.Services).submit(t, submission(t, 3), control.Started)
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
	if diff := cmp.Diff(all(3, job.ConfigBundle), r.codes(t, id)); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
}

func TestRetry(t *testing.T) {
	t.Parallel()
	r := shared(t)
	id := r.submit(t, submission(t, 4), control.Started)
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
		if diff := cmp.Diff(all(4, job.ConfigBundle), r.codes(t, id)); diff != "" {
			t.Errorf("records after retry %d (-want +got):\n%s", i+1, diff)
		}
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	r := shared(t)
	id := r.submit(t, submission(t, 1), control.Started)
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
	unfinished := alone(t)
	open := unfinished.submit(t, submission(t, 1), control.Started)
	if _, err := unfinished.jobs.Retry(t.Context(), open, nil); err == nil || !strings.Contains(err.Error(), "once it has finished") {
		t.Errorf("retry of an unfinished job: %v", err)
	}
}

func (r *rig) terminate(t *testing.T, id job.ID) {
	t.Helper()
	if err := r.temporal.TerminateWorkflow(t.Context(), workflows.JobWorkflowID(id.String()), "", "test"); err != nil {
		t.Fatal(err)
	}
}
