package workers

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.temporal.io/sdk/temporal"

	"github.com/winnow-video/winnow/workflows"
	"github.com/winnow-video/winnow/workflows/bus"
	"github.com/winnow-video/winnow/workflows/extent"
	"github.com/winnow-video/winnow/workflows/job"
	"github.com/winnow-video/winnow/workflows/stack/stacktest"
)

func TestJobEndsEveryItem(t *testing.T) {
	t.Parallel()
	r := newRig(t, startShared(t))
	twoVariants(&r.spec)
	r.spec = r.spec.WithDefaults()
	r.video(t, "good.mp4", 20)
	r.video(t, "wordy.mp4", 2)
	r.items[21].Options = []string{"a", "b", "c", "d", "e"} // more than the bundle has letters for
	r.broken(t, "crash.mp4", "not decoded", 2)
	r.broken(t, "empty.mp4", "", 1)
	missing := r.broken(t, "missing.mp4", "x", 1)
	if err := os.Remove(missing); err != nil {
		t.Fatal(err)
	}
	r.oracle.start(t)
	r.start(t)
	result := r.wait(t)
	want := map[string]job.Code{
		"wordy.mp4-1 rediprune-0.5": job.ConfigInvalid, "crash.mp4": job.InputCrash,
		"empty.mp4": job.InputEmpty, "missing.mp4": job.InputMissing,
	}
	r.wantEnds(t, want)
	if result.State != job.StateFinished || result.Tally.OK != 43 || result.Tally.Failed != 9 || result.Tally.Videos != 5 {
		t.Errorf("result = %+v", result)
	}
	if encodes, most := r.oracle.seen(job.StageEncode); encodes != 2 || most != 1 {
		t.Errorf("%d encodes, an object asked for %d times; want 2 and 1", encodes, most)
	}
	if st := r.status(t); st.State != job.StateFinished || st.PagesDone != 1 || st.Tally.OK != 43 {
		t.Errorf("state.json = %+v", st)
	}
	r.wantProgress(t)
	r.save(t, "failures", 0, 1, 2)

	again := r.next(func(*job.Spec) {})
	again.start(t)
	if second := again.wait(t); second.Tally.Cached != (workflows.Cached{Clips: 2, Tokens: 2, Answers: 43}) {
		t.Errorf("second run = %+v, want all cached", second.Tally)
	}
	again.wantEnds(t, want)
	again.save(t, "cached", 0)
	if encodes, _ := r.oracle.seen(job.StageEncode); encodes != 2 {
		t.Errorf("the second run encoded again: %d", encodes)
	}
}

// wantProgress sums up the events: every item leaves its stages once.
func (r *rig) wantProgress(t *testing.T) {
	t.Helper()
	done, failed := map[job.Stage]int{}, map[job.Stage]int{}
	for _, e := range r.follow(t, isState(job.StateFinished)) {
		done[e.Stage] += e.Done
		failed[e.Stage] += e.Failed
	}
	delete(done, "")
	delete(failed, "")
	want := map[job.Stage]int{job.StageDecode: 5, job.StageEncode: 2, job.StagePrune: 44, job.StageAnswer: 43, job.StageRecord: 52}
	if diff := cmp.Diff(want, done); diff != "" {
		t.Errorf("units done (-want +got):\n%s", diff)
	}
	if failed[job.StageDecode] != 3 || failed[job.StageRecord] != 9 {
		t.Errorf("units failed = %v", failed)
	}
}

func TestManyQuestionsShareOneEncode(t *testing.T) {
	t.Parallel()
	r := newRig(t, startShared(t))
	r.video(t, "a.mp4", 70)
	r.input.Window = workflows.Window{Videos: 1}
	r.oracle.start(t)
	r.start(t)
	if result := r.wait(t); result.Tally.Videos != 2 || result.Tally.OK != 70 {
		t.Errorf("result = %+v, want 70 questions in two videos", result)
	}
	r.wantEnds(t, nil)
	if encodes, _ := r.oracle.seen(job.StageEncode); encodes != 1 {
		t.Errorf("%d encodes, want 1", encodes)
	}
}

func TestJobContinuesAsNewBetweenPages(t *testing.T) {
	t.Parallel()
	r := newRig(t, startShared(t))
	r.video(t, "a.mp4", 3)
	r.video(t, "b.mp4", 2)
	r.pageSize = 2
	r.input.Window = workflows.Window{Turn: 1}
	r.oracle.start(t)
	r.start(t)
	if result := r.wait(t); result.Tally.OK != 5 || result.Tally.Videos != 4 {
		t.Errorf("result = %+v, want the tally of three turns", result)
	}
	r.wantEnds(t, nil)
	if st := r.status(t); st.Pages != 3 || st.PagesDone != 3 {
		t.Errorf("state.json = %+v", st)
	}
	r.save(t, "turns")
}

func TestPauseStartsNoVideo(t *testing.T) {
	t.Parallel()
	r := newRig(t, startShared(t))
	for _, name := range []string{"a.mp4", "b.mp4", "c.mp4"} {
		r.video(t, name, 1)
	}
	r.input.Window = workflows.Window{Videos: 1}
	release, held := make(chan struct{}), make(chan struct{}, 16)
	r.oracle.hold = func(ctx context.Context, _ bus.Request) {
		held <- struct{}{}
		select {
		case <-release:
		case <-ctx.Done():
		}
	}
	r.oracle.start(t)
	r.start(t)
	<-held // the first video is encoding
	r.signal(t, workflows.SignalPause)
	r.follow(t, isState(job.StatePaused))
	close(release)
	r.follow(t, func(e job.Event) bool { return e.Stage == job.StageRecord })
	r.signal(t, workflows.SignalResume)
	if result := r.wait(t); result.Tally.OK != 3 {
		t.Errorf("result = %+v", result)
	}
	r.wantEnds(t, nil)
	paused := false
	for _, e := range r.follow(t, isState(job.StateFinished)) {
		switch {
		case e.Kind == job.EventState:
			paused = e.State == job.StatePaused
		case paused && e.Video > 0:
			t.Errorf("while paused: %+v", e)
		}
	}
	r.save(t, "paused", 1)
}

// budgetRig is three videos that take 2 s of a device each, and a budget of 3 s.
func budgetRig(t *testing.T) *rig {
	t.Helper()
	r := newRig(t, startShared(t))
	for _, name := range []string{"a.mp4", "b.mp4", "c.mp4"} {
		r.video(t, name, 1)
	}
	r.input.Budget = job.Budget{GPUSeconds: 3}
	r.input.Window = workflows.Window{Videos: 1}
	r.oracle.start(t)
	r.start(t)
	r.follow(t, isState(job.StatePaused))
	st := r.status(t)
	if !st.Halted() || st.Reason != "budget.gpu_seconds: 4 of 3 s are spent" || st.DeviceUS != 4e6 || st.Tally.OK != 2 {
		t.Errorf("state.json = %+v, want it paused by its budget after two videos", st)
	}
	return r
}

func TestBudgetPauses(t *testing.T) {
	t.Parallel()
	r := budgetRig(t)
	steer := workflows.Steer{Budget: &job.Budget{GPUSeconds: 100}}
	if err := r.temporal.SignalWorkflow(t.Context(), r.id, "", workflows.SignalResume, steer); err != nil {
		t.Fatal(err)
	}
	if result := r.wait(t); result.Tally.OK != 3 || result.Tally.DeviceUS != 6e6 {
		t.Errorf("result = %+v", result)
	}
	r.wantEnds(t, nil)
	for _, one := range r.read(t, "results.jsonl") {
		if one.Run.DeviceUS != 2e6 {
			t.Errorf("%s: %d µs on a device, want 2 s", one.ID, one.Run.DeviceUS)
		}
	}
	r.save(t, "budget", 2)
}

func TestCancelAtTheBudget(t *testing.T) {
	t.Parallel()
	r := budgetRig(t)
	if err := r.temporal.CancelWorkflow(t.Context(), r.id, ""); err != nil {
		t.Fatal(err)
	}
	if err := r.run.Get(t.Context(), nil); !temporal.IsCanceledError(err) {
		t.Errorf("error = %v, want canceled", err)
	}
	r.wantEnds(t, map[string]job.Code{"c.mp4": job.BudgetSpent})
	r.save(t, "spent")
}

func TestCancelAccountsForEveryItem(t *testing.T) {
	t.Parallel()
	r := newRig(t, startShared(t))
	for _, name := range []string{"a.mp4", "b.mp4", "c.mp4"} {
		r.video(t, name, 2)
	}
	r.input.Window = workflows.Window{Videos: 1}
	held := make(chan struct{}, 16)
	r.oracle.hold = func(ctx context.Context, req bus.Request) {
		if req.Answer != nil && req.Answer.Line == 3 { // the second question of the second video
			held <- struct{}{}
			<-ctx.Done()
		}
	}
	r.oracle.start(t)
	r.start(t)
	<-held
	if err := r.temporal.CancelWorkflow(t.Context(), r.id, ""); err != nil {
		t.Fatal(err)
	}
	if err := r.run.Get(t.Context(), nil); !temporal.IsCanceledError(err) {
		t.Errorf("error = %v, want canceled", err)
	}
	ends := r.ends(t)
	for key, want := range map[string]job.Code{
		"a.mp4-0": "", "a.mp4-1": "", "b.mp4-1": job.CanceledJob, "c.mp4-0": job.CanceledJob, "c.mp4-1": job.CanceledJob,
	} {
		if got := ends[key+" rediprune-0.15"]; got != want {
			t.Errorf("%s ended as %q, want %q", key, got, want)
		}
	}
	if st := r.status(t); st.State != job.StateCanceled {
		t.Errorf("state = %+v", st)
	}
	r.save(t, "canceled", 0, 1)
}

func TestRetryAnswersWhatFailed(t *testing.T) {
	t.Parallel()
	r := newRig(t, startShared(t))
	r.video(t, "a.mp4", 3)
	r.broken(t, "crash.mp4", "not decoded", 1)
	var broken sync.Map
	broken.Store(1, true)
	r.oracle.refuse = func(req bus.Request) *job.Failure {
		if _, is := broken.Load(1); is && req.Answer != nil && req.Answer.Line == 1 {
			return job.Fail(job.StageAnswer, job.ModelError, "tired")
		}
		return nil
	}
	r.oracle.start(t)
	r.start(t)
	r.wait(t)
	r.wantEnds(t, map[string]job.Code{"a.mp4-1": job.ModelError, "crash.mp4": job.InputCrash})
	broken.Delete(1)
	before, _ := r.oracle.seen(job.StageAnswer)
	r.input.Generation, r.input.Retry = 1, []job.Kind{job.KindModel}
	r.start(t)
	if result := r.wait(t); result.Tally.OK != 3 || result.Tally.Failed != 1 {
		t.Errorf("result = %+v", result)
	}
	r.wantEnds(t, map[string]job.Code{"crash.mp4": job.InputCrash})
	r.save(t, "retried", 0)
	if after, _ := r.oracle.seen(job.StageAnswer); after-before != 1 {
		t.Errorf("the retry asked %d questions, want 1", after-before)
	}
}

func TestAddedLinesAreRun(t *testing.T) {
	t.Parallel()
	r := newRig(t, startShared(t))
	r.video(t, "a.mp4", 2)
	r.input.Paused = true
	r.oracle.start(t)
	r.start(t)
	r.follow(t, isState(job.StatePaused))
	submitted := len(r.items)
	r.video(t, "b.mp4", 1)
	r.broken(t, "crash.mp4", "not decoded", 1)
	more := extent.Addition{File: "more.jsonl", Items: r.items[submitted:], Manifest: strings.NewReader("")}
	if _, _, err := extent.Append(t.Context(), r.store, r.id, extent.Extent{Pages: 1, Items: submitted}, more); err != nil {
		t.Fatal(err)
	}
	r.signal(t, workflows.SignalAdded)
	r.signal(t, workflows.SignalResume)
	if result := r.wait(t); result.Tally.OK != 3 || result.Tally.Failed != 1 {
		t.Errorf("result = %+v", result)
	}
	r.wantEnds(t, map[string]job.Code{"crash.mp4": job.InputCrash})
	if st := r.status(t); st.Pages != 2 || st.PagesDone != 2 || st.Items != 4 {
		t.Errorf("state.json = %+v", st)
	}
	if _, _, err := extent.Append(t.Context(), r.store, r.id, extent.Extent{Pages: 1, Items: submitted}, extent.Addition{Items: questions("late.mp4", 1)}); !errors.Is(err, extent.ErrClosed) {
		t.Errorf("adding to the finished job: %v, want ErrClosed", err)
	}
	r.save(t, "added")
}

// killRig is four videos on a stack of their own; the answers of the third wait for release.
func killRig(t *testing.T, stackDir string) (r *rig, devstack *stacktest.Devstack, reached chan struct{}, release func()) {
	t.Helper()
	devstack = stacktest.StartIn(t, stackDir)
	s, err := connect(t.Context(), &devstack.Services, "kill test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	r = newRig(t, s)
	for _, name := range []string{"a.mp4", "b.mp4", "c.mp4", "d.mp4"} {
		r.video(t, name, 2)
	}
	r.input.Window = workflows.Window{Videos: 1}
	reached = make(chan struct{}, 16)
	released := make(chan struct{})
	r.oracle.hold = func(ctx context.Context, req bus.Request) {
		if req.Answer != nil && req.Answer.Line >= 4 { // of the third video
			reached <- struct{}{}
			select {
			case <-released:
			case <-ctx.Done():
			}
		}
	}
	r.oracle.start(t)
	r.start(t)
	return r, devstack, reached, func() { close(released) }
}

func (r *rig) wantNothingLost(t *testing.T) {
	t.Helper()
	if result := r.wait(t); result.Tally.OK != 8 {
		t.Errorf("result = %+v", result)
	}
	r.wantEnds(t, nil)
	if encodes, _ := r.oracle.seen(job.StageEncode); encodes != 4 {
		t.Errorf("%d encodes, want 4", encodes)
	}
}

func TestKilledWorkerLosesNothing(t *testing.T) {
	t.Parallel()
	stackDir := t.TempDir()
	r, _, reached, release := killRig(t, stackDir)
	first := startWorkerProcess(t, stackDir)
	<-reached
	if err := first.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	startWorkerProcess(t, stackDir)
	release()
	r.wantNothingLost(t)
	r.save(t, "killed", 2)
}

func TestKilledStackLosesNothing(t *testing.T) {
	t.Parallel()
	stackDir := t.TempDir()
	r, devstack, reached, release := killRig(t, stackDir)
	startWorkerProcess(t, stackDir)
	<-reached
	if err := devstack.Kill(); err != nil {
		t.Fatal(err)
	}
	stacktest.StartIn(t, stackDir)
	release()
	r.wantNothingLost(t)
}

func startWorkerProcess(t *testing.T, stackDir string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "worker")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), workerEnv+"="+stackDir+string(os.PathListSeparator)+dir)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close()
		_ = cmd.Wait() // killed, or gone with its standard input
	})
	return cmd
}
