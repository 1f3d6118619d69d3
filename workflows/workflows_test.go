package workflows_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/winnow-video/winnow/workflows"
	"github.com/winnow-video/winnow/workflows/extent"
	"github.com/winnow-video/winnow/workflows/job"
)

// script answers the activities of a workflow and notes their order. These
// tests are of orchestration alone; package workers tests the real thing.
type script struct {
	mu        sync.Mutex
	calls     []string
	plan      workflows.PagePlan
	located   workflows.Located
	locate    func(attempt int) error
	decode    func(attempt int) error
	encode    func(attempt int) error
	unaskable []workflows.ItemFailure // of Decode
	extend    func(workflows.ExtendInput) extent.Extent
	answered  []int // questions of each Answer
	recorded  []workflows.RecordInput
	closed    []workflows.CloseInput
	final     []workflows.FinaliseInput
	statuses  []workflows.Status
	tally     workflows.Tally // what Record returns
	written   workflows.Tally // what Close returns
}

func (s *script) note(name string) (nth int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, name)
	for _, c := range s.calls {
		if c == name {
			nth++
		}
	}
	return nth
}

func (s *script) times(name string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, c := range s.calls {
		if c == name {
			n++
		}
	}
	return n
}

func run(s *script, env *testsuite.TestWorkflowEnvironment) {
	env.RegisterWorkflowWithOptions(workflows.Job, workflow.RegisterOptions{Name: workflows.JobType})
	env.RegisterWorkflowWithOptions(workflows.Page, workflow.RegisterOptions{Name: workflows.PageType})
	env.RegisterWorkflowWithOptions(workflows.Video, workflow.RegisterOptions{Name: workflows.VideoType})
	workflows.Tell.Register(env, func(_ context.Context, st workflows.Status) (struct{}, error) {
		s.statuses = append(s.statuses, st)
		return struct{}{}, nil
	})
	workflows.Extend.Register(env, func(_ context.Context, in workflows.ExtendInput) (extent.Extent, error) {
		s.note("Extend")
		if s.extend == nil {
			return in.Known, nil
		}
		return s.extend(in), nil
	})
	workflows.Plan.Register(env, func(context.Context, workflows.PageInput) (workflows.PagePlan, error) {
		s.note("Plan")
		return s.plan, nil
	})
	workflows.Locate.Register(env, func(context.Context, workflows.VideoInput) (workflows.Located, error) {
		n := s.note("Locate")
		if s.locate == nil {
			return s.located, nil
		}
		return s.located, s.locate(n)
	})
	workflows.Decode.Register(env, func(context.Context, workflows.StageInput) (workflows.Decoded, error) {
		n := s.note("Decode")
		if s.decode == nil {
			return workflows.Decoded{Spent: workflows.Spent{WorkMS: 5, Attempt: 1}, Failed: s.unaskable}, nil
		}
		return workflows.Decoded{}, s.decode(n)
	})
	workflows.Encode.Register(env, func(context.Context, workflows.StageInput) (workflows.Spent, error) {
		n := s.note("Encode")
		if s.encode == nil {
			return workflows.Spent{WorkMS: 7, DeviceUS: 3e6, Attempt: 1}, nil
		}
		return workflows.Spent{}, s.encode(n)
	})
	workflows.Prune.Register(env, func(context.Context, workflows.StageInput) (workflows.Items, error) {
		s.note("Prune")
		return workflows.Items{Failed: []workflows.ItemFailure{{
			Item: workflows.Item{Line: 1}, Failure: *job.Fail(job.StagePrune, job.ConfigContext, "too long"),
		}}}, nil
	})
	workflows.Answer.Register(env, func(_ context.Context, in workflows.StageInput) (workflows.Items, error) {
		s.note("Answer")
		s.mu.Lock()
		defer s.mu.Unlock()
		s.answered = append(s.answered, len(in.Asks))
		return workflows.Items{}, nil
	})
	workflows.Record.Register(env, func(_ context.Context, in workflows.RecordInput) (workflows.Tally, error) {
		s.note("Record")
		s.mu.Lock()
		defer s.mu.Unlock()
		s.recorded = append(s.recorded, in)
		return s.tally, nil
	})
	workflows.Close.Register(env, func(_ context.Context, in workflows.CloseInput) (workflows.Tally, error) {
		s.note("Close")
		s.closed = append(s.closed, in)
		return s.written, nil
	})
	workflows.Finalise.Register(env, func(_ context.Context, in workflows.FinaliseInput) (workflows.JobResult, error) {
		s.note("Finalise")
		s.final = append(s.final, in)
		return workflows.JobResult{V: workflows.Version, State: in.State, Tally: in.Progress.Tally}, nil
	})
}

func newRun() workflows.Run {
	return workflows.Run{V: workflows.Version, Job: "demo-00000000.1", Bundle: "b"}
}

func asks(n int) []workflows.Ask {
	all := make([]workflows.Ask, n)
	for i := range all {
		all[i].Line = i
	}
	return all
}

func newEnv() *testsuite.TestWorkflowEnvironment {
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestWorkflowEnvironment()
	env.SetTestTimeout(time.Minute)
	return env
}

func runVideo(t *testing.T, s *script, questions int) workflows.Tally {
	t.Helper()
	env := newEnv()
	run(s, env)
	env.ExecuteWorkflow(workflows.VideoType, workflows.VideoInput{Run: newRun(), Asks: asks(questions)})
	var tally workflows.Tally
	if err := env.GetWorkflowResult(&tally); err != nil {
		t.Fatal(err)
	}
	return tally
}

func TestVideoWalksItsStages(t *testing.T) {
	t.Parallel()
	s := &script{}
	tally := runVideo(t, s, 40)
	want := []string{"Locate", "Decode", "Encode", "Prune", "Answer", "Answer", "Answer", "Record"}
	if diff := cmp.Diff(want, s.calls); diff != "" {
		t.Errorf("activities (-want +got):\n%s", diff)
	}
	slices.Sort(s.answered)
	if diff := cmp.Diff([]int{8, 16, 16}, s.answered); diff != "" {
		t.Errorf("questions of each Answer (-want +got):\n%s", diff)
	}
	if tally.Timing.Decode != 5 || tally.Timing.Encode != 7 || tally.Videos != 1 {
		t.Errorf("tally = %+v", tally)
	}
	if got := s.recorded[0]; got.Failure != nil || len(got.Failed) != 1 || got.Failed[0].Line != 1 {
		t.Errorf("recorded %+v, want the one failure of Prune", got)
	}
}

// Nothing is made of a video, or of its clip, that no question about it fits beside.
func TestVideoThatNobodyCanAsk(t *testing.T) {
	t.Parallel()
	var failed []workflows.ItemFailure
	for line := range 2 {
		failed = append(failed, workflows.ItemFailure{
			Item: workflows.Item{Line: line}, Failure: *job.Fail(job.StageAnswer, job.ConfigContext, "too long"),
		})
	}
	for _, tc := range []struct {
		s      *script
		calls  []string
		decode int64 // ms
	}{
		{&script{located: workflows.Located{Failed: failed}}, []string{"Locate", "Record"}, 0},
		{&script{unaskable: failed}, []string{"Locate", "Decode", "Record"}, 5},
	} {
		tally := runVideo(t, tc.s, 2)
		if diff := cmp.Diff(tc.calls, tc.s.calls); diff != "" {
			t.Errorf("activities (-want +got):\n%s", diff)
		}
		if got := tc.s.recorded[0]; got.Failure != nil || len(got.Failed) != 2 || tally.Timing.Decode != tc.decode {
			t.Errorf("recorded %+v, tally %+v: want the two failures, and %d ms of decoding", got, tally, tc.decode)
		}
	}
}

func TestVideoSkipsWhatExists(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		located workflows.Located
		want    []string
	}{
		{workflows.Located{HaveTokens: true}, []string{"Locate", "Prune", "Answer", "Record"}},
		{workflows.Located{HaveTokens: true, Answered: []workflows.Item{{}}}, []string{"Locate", "Record"}},
		{workflows.Located{HaveClip: true}, []string{"Locate", "Encode", "Prune", "Answer", "Record"}},
	} {
		s := &script{located: tc.located}
		runVideo(t, s, 1)
		if diff := cmp.Diff(tc.want, s.calls); diff != "" {
			t.Errorf("%+v: activities (-want +got):\n%s", tc.located, diff)
		}
	}
}

// What locating at hand does not settle becomes an activity, which has the time and
// the attempts of one; a definite end is one there already.
func TestVideoLocatesAtHand(t *testing.T) {
	t.Parallel()
	whole := []string{"Decode", "Encode", "Prune", "Answer", "Record"}
	away := temporal.NewApplicationError("the origin is away", workflows.ErrorFailure, *job.Fail(job.StageFetch, job.InputUnreachable, "away"))
	gone := temporal.NewNonRetryableApplicationError("no such file", workflows.ErrorFailure, nil, *job.Fail(job.StageFetch, job.InputMissing, "gone"))
	for name, tc := range map[string]struct {
		atHand  bool
		ends    []error // of Locate, by attempt
		want    []string
		failure job.Code
	}{
		"found":                     {atHand: true, ends: []error{nil}, want: append([]string{"Locate"}, whole...)},
		"away for a moment":         {atHand: true, ends: []error{away, nil}, want: append([]string{"Locate", "Locate"}, whole...)},
		"slow":                      {atHand: true, ends: []error{context.DeadlineExceeded, nil}, want: append([]string{"Locate", "Locate"}, whole...)},
		"its worker stops":          {atHand: true, ends: []error{context.Canceled, nil}, want: append([]string{"Locate", "Locate"}, whole...)},
		"no such file":              {atHand: true, ends: []error{gone}, want: []string{"Locate", "Record"}, failure: job.InputMissing},
		"no such file any more":     {atHand: true, ends: []error{away, gone}, want: []string{"Locate", "Locate", "Record"}, failure: job.InputMissing},
		"begun by an older release": {ends: []error{nil}, want: append([]string{"Locate"}, whole...)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &script{locate: func(nth int) error { return tc.ends[min(nth, len(tc.ends))-1] }}
			env := newEnv()
			run(s, env)
			local := 0
			env.SetOnLocalActivityStartedListener(func(info *activity.Info, _ context.Context, _ []any) {
				if info.ActivityType.Name == string(workflows.Locate) {
					local++
				}
			})
			env.ExecuteWorkflow(workflows.VideoType, workflows.VideoInput{Run: newRun(), Asks: asks(1), AtHand: tc.atHand})
			if err := env.GetWorkflowError(); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, s.calls); diff != "" {
				t.Errorf("activities (-want +got):\n%s", diff)
			}
			if want := map[bool]int{true: 1}[tc.atHand]; local != want {
				t.Errorf("located at hand %d times, want %d", local, want)
			}
			if f := s.recorded[0].Failure; (f == nil) != (tc.failure == "") || f != nil && f.Code != tc.failure {
				t.Errorf("failure %+v, want %q", f, tc.failure)
			}
		})
	}
}

func TestVideoMakesAMissingArtifactAgain(t *testing.T) {
	t.Parallel()
	s := &script{encode: func(nth int) error {
		if nth == 1 {
			return temporal.NewNonRetryableApplicationError("clip is gone", workflows.ErrorMissing, nil)
		}
		return nil
	}}
	runVideo(t, s, 1)
	want := []string{"Locate", "Decode", "Encode", "Locate", "Decode", "Encode", "Prune", "Answer", "Record"}
	if diff := cmp.Diff(want, s.calls); diff != "" {
		t.Errorf("activities (-want +got):\n%s", diff)
	}
}

func TestVideoFailsItsItems(t *testing.T) {
	t.Parallel()
	truncated := job.Fail(job.StageDecode, job.InputTruncated, "ends at 3 s of 9 s")
	for name, tc := range map[string]struct {
		err  error
		want job.Failure
	}{
		"typed": {
			temporal.NewApplicationErrorWithOptions("x", workflows.ErrorFailure, temporal.ApplicationErrorOptions{NonRetryable: true, Details: []any{truncated}}),
			*truncated,
		},
		"always missing": {
			temporal.NewNonRetryableApplicationError("the source is gone", workflows.ErrorMissing, nil),
			*job.Fail(job.StageDecode, job.InternalError, "the source is gone, again and again"),
		},
		"canceled": {temporal.NewCanceledError(), *job.Fail(job.StageDecode, job.CanceledJob, "the job was canceled before this item ended")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &script{decode: func(int) error { return tc.err }}
			runVideo(t, s, 2)
			if diff := cmp.Diff(&tc.want, s.recorded[0].Failure); diff != "" {
				t.Errorf("failure (-want +got):\n%s", diff)
			}
			if s.times("Encode") != 0 {
				t.Error("encoded what was not decoded")
			}
		})
	}
}

func TestVideoCanceledBetweenStages(t *testing.T) {
	t.Parallel()
	env := newEnv()
	s := &script{}
	run(s, env)
	env.SetOnActivityCompletedListener(func(info *activity.Info, _ converter.EncodedValue, _ error) {
		if info.ActivityType.Name == string(workflows.Prune) {
			env.CancelWorkflow()
		}
	})
	env.ExecuteWorkflow(workflows.VideoType, workflows.VideoInput{Run: newRun(), Asks: asks(2)})
	if err := env.GetWorkflowError(); !temporal.IsCanceledError(err) {
		t.Errorf("error = %v, want canceled", err)
	}
	if f := s.recorded[0].Failure; f == nil || f.Code != job.CanceledJob {
		t.Errorf("recorded with %v, want %s", f, job.CanceledJob)
	}
}

func jobInput(pages int) workflows.JobInput {
	return workflows.JobInput{Run: newRun(), Pages: pages, Items: 3 * pages, Variants: 1}
}

func TestJobRunsEveryPage(t *testing.T) {
	t.Parallel()
	s := &script{plan: workflows.PagePlan{Videos: [][]workflows.Ask{asks(2), asks(1)}}, written: workflows.Tally{OK: 3}}
	env := newEnv()
	run(s, env)
	env.ExecuteWorkflow(workflows.JobType, jobInput(5))
	var got workflows.JobResult
	if err := env.GetWorkflowResult(&got); err != nil {
		t.Fatal(err)
	}
	if got.State != job.StateFinished || got.Tally.OK != 15 || got.Tally.Videos != 10 {
		t.Errorf("result = %+v", got)
	}
	if s.times("Close") != 5 || s.times("Record") != 10 || s.times("Finalise") != 1 {
		t.Errorf("calls = %v", s.calls)
	}
	if last := s.statuses[len(s.statuses)-1]; last.PagesDone != 5 || last.State != job.StateRunning {
		t.Errorf("last status = %+v", last)
	}
}

// What was added is run, also where the job learns of it only when all else is done.
func TestJobRunsWhatWasAdded(t *testing.T) {
	t.Parallel()
	s := &script{written: workflows.Tally{OK: 3}}
	s.extend = func(in workflows.ExtendInput) extent.Extent {
		e := in.Known
		switch {
		case !in.Close: // at the signal
			e = extent.Extent{Pages: 3, Items: 9, Parts: 1}
		case e.Parts == 1: // at the end: one more that no signal told of
			e = extent.Extent{Pages: 4, Items: 12, Parts: 2}
		default:
			e.Closed = true
		}
		return e
	}
	env := newEnv()
	run(s, env)
	in := jobInput(2)
	in.Paused = true
	env.RegisterDelayedCallback(func() { env.SignalWorkflow(workflows.SignalAdded, nil) }, time.Minute)
	env.RegisterDelayedCallback(func() {
		if st := queryStatus(t, env); st.Pages != 3 || st.Items != 9 {
			t.Errorf("status = %+v, want 3 pages", st)
		}
		env.SignalWorkflow(workflows.SignalResume, nil)
	}, time.Hour)
	env.ExecuteWorkflow(workflows.JobType, in)
	var got workflows.JobResult
	if err := env.GetWorkflowResult(&got); err != nil {
		t.Fatal(err)
	}
	if got.Tally.OK != 12 || s.final[0].Pages != 4 || s.final[0].Items != 12 || s.times("Extend") != 3 {
		t.Errorf("result = %+v, finalised with %+v, calls %v", got, s.final[0], s.calls)
	}
}

func TestJobContinuesAsNewBetweenPages(t *testing.T) {
	t.Parallel()
	s := &script{}
	env := newEnv()
	run(s, env)
	in := jobInput(5)
	in.Window = workflows.Window{Pages: 1, Turn: 2}
	env.ExecuteWorkflow(workflows.JobType, in)
	var again *workflow.ContinueAsNewError
	if err := env.GetWorkflowError(); !errors.As(err, &again) {
		t.Fatalf("error = %v, want continue as new", err)
	}
	if s.times("Close") != 2 || s.times("Finalise") != 0 {
		t.Errorf("calls = %v, want two pages and no end", s.calls)
	}
}

func TestJobPausesBetweenVideos(t *testing.T) {
	t.Parallel()
	s := &script{plan: workflows.PagePlan{Videos: [][]workflows.Ask{asks(1), asks(1), asks(1)}}}
	env := newEnv()
	run(s, env)
	in := jobInput(2)
	in.Paused = true
	env.RegisterDelayedCallback(func() {
		if n := s.times("Locate"); n != 0 {
			t.Errorf("%d videos started while paused", n)
		}
		value, err := env.QueryWorkflow(workflows.QueryStatus)
		var st workflows.Status
		if err != nil || value.Get(&st) != nil || st.State != job.StatePaused {
			t.Errorf("status = %+v, %v; want paused", st, err)
		}
		env.SignalWorkflow(workflows.SignalResume, nil)
	}, time.Hour)
	env.ExecuteWorkflow(workflows.JobType, in)
	if err := env.GetWorkflowError(); err != nil {
		t.Fatal(err)
	}
	if s.times("Locate") != 6 {
		t.Errorf("%d videos ran, want 6", s.times("Locate"))
	}
	states := []job.State{}
	for _, st := range s.statuses {
		states = append(states, st.State)
	}
	if states[0] != job.StatePaused || !slices.Contains(states, job.StateRunning) {
		t.Errorf("states told: %v", states)
	}
}

func TestCanceledJobFinalises(t *testing.T) {
	t.Parallel()
	s := &script{plan: workflows.PagePlan{Videos: [][]workflows.Ask{asks(1)}}}
	env := newEnv()
	run(s, env)
	in := jobInput(3)
	in.Paused = true
	env.RegisterDelayedCallback(env.CancelWorkflow, time.Hour)
	env.ExecuteWorkflow(workflows.JobType, in)
	if err := env.GetWorkflowError(); !temporal.IsCanceledError(err) {
		t.Fatalf("error = %v, want canceled", err)
	}
	if len(s.final) != 1 || s.final[0].State != job.StateCanceled || s.final[0].Open != job.CanceledJob {
		t.Errorf("finalised with %+v", s.final)
	}
}

// budgeted is a job of two pages of ten videos that take 3 s of a device each.
func budgeted(b job.Budget) (*script, workflows.JobInput) {
	s := &script{written: workflows.Tally{OK: 10}, tally: workflows.Tally{OK: 1}}
	for range 10 {
		s.plan.Videos = append(s.plan.Videos, asks(1))
	}
	in := jobInput(2)
	in.Budget = b
	in.Window = workflows.Window{Pages: 1, Videos: 1}
	return s, in
}

func queryStatus(t *testing.T, env *testsuite.TestWorkflowEnvironment) workflows.Status {
	t.Helper()
	value, err := env.QueryWorkflow(workflows.QueryStatus)
	var st workflows.Status
	if err != nil || value.Get(&st) != nil {
		t.Fatal(err)
	}
	return st
}

func TestJobPausesAtItsBudget(t *testing.T) {
	t.Parallel()
	s, in := budgeted(job.Budget{Money: 1, PricePerGPUHour: 600}) // 6 s
	env := newEnv()
	run(s, env)
	env.RegisterDelayedCallback(func() {
		if n := s.times("Record"); n != 2 {
			t.Errorf("%d videos ran, want 2: they cost what there is", n)
		}
		st := queryStatus(t, env)
		if !st.Halted() || st.Reason != "budget.money: 1 of 1 is spent (6 GPU seconds)" || st.DeviceUS != 6e6 || st.Tally.OK != 2 {
			t.Errorf("status = %+v, want it paused by its budget", st)
		}
		env.SignalWorkflow(workflows.SignalResume, workflows.Steer{Budget: &job.Budget{GPUSeconds: 32}})
	}, time.Hour)
	env.RegisterDelayedCallback(func() {
		st := queryStatus(t, env)
		if n := s.times("Record"); n != 11 || !st.Halted() || st.PagesDone != 1 || st.DeviceUS != 33e6 {
			t.Errorf("%d videos ran, status = %+v; want it paused again after 11, in the second page", n, st)
		}
		env.SignalWorkflow(workflows.SignalResume, workflows.Steer{Budget: &job.Budget{}})
	}, 2*time.Hour)
	env.ExecuteWorkflow(workflows.JobType, in)
	var got workflows.JobResult
	if err := env.GetWorkflowResult(&got); err != nil {
		t.Fatal(err)
	}
	if got.State != job.StateFinished || got.Tally.OK != 20 || got.Tally.DeviceUS != 60e6 {
		t.Errorf("result = %+v", got)
	}
}

// A job that reaches its budget with its last video is finished, never paused.
func TestBudgetReachedAtTheEnd(t *testing.T) {
	t.Parallel()
	s, in := budgeted(job.Budget{GPUSeconds: 60})
	env := newEnv()
	run(s, env)
	env.ExecuteWorkflow(workflows.JobType, in)
	if err := env.GetWorkflowError(); err != nil {
		t.Fatal(err)
	}
	for _, st := range s.statuses {
		if st.State == job.StatePaused {
			t.Errorf("told %+v", st)
		}
	}
}

func TestJobPausesAtItsFailureShare(t *testing.T) {
	t.Parallel()
	s, in := budgeted(job.Budget{FailureShare: 0.5})
	s.tally, s.written = workflows.Tally{Failed: 10}, workflows.Tally{Failed: 100}
	env := newEnv()
	run(s, env)
	env.RegisterDelayedCallback(func() {
		if st := queryStatus(t, env); !st.Halted() || st.Tally.Failed < 20 || st.Tally.Failed > 40 {
			t.Errorf("status = %+v, want it paused soon after 20 failures", st)
		}
		env.CancelWorkflow()
	}, time.Hour)
	env.ExecuteWorkflow(workflows.JobType, in)
	if err := env.GetWorkflowError(); !temporal.IsCanceledError(err) {
		t.Fatalf("error = %v, want canceled", err)
	}
	if s.closed[0].Open != job.BudgetSpent || s.final[0].Open != job.BudgetSpent || s.final[0].State != job.StateCanceled {
		t.Errorf("the open items end as %s and %s", s.closed[0].Open, s.final[0].Open)
	}
}

// A job that began when a failure share still ended jobs ends by it.
func TestJobStopsAtItsFailureShare(t *testing.T) {
	t.Parallel()
	s := &script{tally: workflows.Tally{Failed: 10}, written: workflows.Tally{Failed: 100}}
	for range 10 {
		s.plan.Videos = append(s.plan.Videos, asks(10))
	}
	env := newEnv()
	run(s, env)
	in := jobInput(3)
	in.FailureShare = 0.5
	in.Window = workflows.Window{Pages: 1, Videos: 1}
	env.ExecuteWorkflow(workflows.JobType, in)
	if err := env.GetWorkflowError(); err != nil {
		t.Fatal(err)
	}
	if n := s.times("Record"); n != 2 {
		t.Errorf("%d videos ran, want 2: 20 items are enough to tell", n)
	}
	if s.closed[0].Open != job.BudgetSpent {
		t.Errorf("the page's other items end as %s", s.closed[0].Open)
	}
}

// No workflow begins with an input of another version: what panics waits for another worker.
func TestAnotherVersionIsNotBegun(t *testing.T) {
	t.Parallel()
	other := newRun()
	other.V = workflows.Version + 1
	for kind, in := range map[string]any{
		workflows.JobType:   workflows.JobInput{Run: other, Pages: 1},
		workflows.PageType:  workflows.PageInput{Run: other},
		workflows.VideoType: workflows.VideoInput{Run: other, Asks: asks(1)},
	} {
		s := &script{}
		env := newEnv()
		run(s, env)
		env.ExecuteWorkflow(kind, in)
		var panicked *temporal.PanicError
		if err := env.GetWorkflowError(); !errors.As(err, &panicked) || !strings.Contains(err.Error(), kind+": input of version 2") {
			t.Errorf("%s: %v, want a panic that names the version", kind, err)
		}
		if len(s.calls)+len(s.statuses) > 0 {
			t.Errorf("%s: ran %v", kind, s.calls)
		}
	}
}
