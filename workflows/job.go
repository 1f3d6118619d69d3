package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/winnow-video/winnow/workflows/job"
)

// Job runs the pages of a job and then writes its result files. Canceled, it
// writes them still, with a record of kind canceled for every open item.
func Job(ctx workflow.Context, in JobInput) (JobResult, error) {
	in.known(ctx)
	j := newRunning(ctx, in)
	err := workflow.SetQueryHandler(ctx, QueryStatus, func() (Status, error) { return j.status(ctx), nil })
	if err != nil {
		return JobResult{}, err
	}
	j.window.listen(ctx, j.steered)
	j.hear(ctx)
	j.expect(ctx)
	j.weigh(ctx)
	j.tell(ctx)
	for {
		j.in.Progress.Next = j.window.run(ctx, j.in.Progress.Next, j.pages, j.page)
		if j.hasMore(ctx) {
			return JobResult{}, j.continueAsNew(ctx)
		}
		if !j.grown(ctx) {
			return j.finish(ctx)
		}
	}
}

// running is a Job between its turns.
type running struct {
	in      JobInput
	window  *window
	open    map[int]workflow.ChildWorkflowFuture // pages
	reports map[int]Report                       // the last of each open page
	started int                                  // pages of this turn
	done    int                                  // pages closed
	telling workflow.Mutex                       // so that an old status never replaces a newer one

	added     workflow.ReceiveChannel // signals
	extending int                     // looks for added lines that go on
}

func newRunning(ctx workflow.Context, in JobInput) *running {
	in.Window = in.Window.withDefaults()
	if in.Progress.Began == "" {
		in.Progress.Began = clock(ctx)
	}
	j := &running{in: in, done: in.Progress.Next, telling: workflow.NewMutex(ctx)}
	j.open, j.reports = map[int]workflow.ChildWorkflowFuture{}, map[int]Report{}
	j.window = &window{width: in.Window.Pages, paused: in.Paused, reason: in.Reason}
	j.window.halted = func() bool { return j.overspent() || j.turnOver(ctx) }
	return j
}

// pages is how many there are by now.
func (j *running) pages() int { return j.in.Pages }

// page runs one page. What a failed one leaves open, finish accounts for.
func (j *running) page(ctx workflow.Context, i int) {
	j.started++
	ctx = workflow.WithChildOptions(ctx, child(j.in.pageID(i)))
	j.open[i] = workflow.ExecuteChildWorkflow(ctx, PageType, j.pageInput(i))
	var tally Tally
	if j.open[i].Get(ctx, &tally) == nil {
		j.in.Progress.Tally = j.in.Progress.Tally.Plus(tally)
		j.in.Progress.DeviceUS += tally.DeviceUS
	} else {
		j.in.Progress.DeviceUS += j.reports[i].Tally.DeviceUS
	}
	delete(j.open, i)
	delete(j.reports, i)
	j.done++
	j.weigh(ctx)
	j.tell(ctx)
}

func (j *running) pageInput(i int) PageInput {
	return PageInput{
		Run: j.in.Run, Page: i, Retry: j.in.Retry, Budget: j.in.Budget, FailureShare: j.in.FailureShare,
		Before: j.in.Progress.Tally, DeviceUS: j.device().Microseconds(), Videos: j.in.Window.Videos,
	}
}

// steered takes a pause or resume, unless the budget that comes with it is spent already.
func (j *running) steered(ctx workflow.Context, s Steer) {
	if s.Budget != nil {
		j.in.Budget = *s.Budget
	}
	j.steerPages(ctx)
	j.weigh(ctx)
	j.tell(ctx)
}

// steerPages passes a pause or resume on to the open pages. One that closes
// meanwhile no longer needs it.
func (j *running) steerPages(ctx workflow.Context) {
	signal, steer := j.window.steer(j.in.Budget)
	for _, i := range workflow.DeterministicKeys(j.open) {
		_ = j.open[i].SignalChildWorkflow(ctx, signal, steer).Get(ctx, nil)
	}
}

func (j *running) overspent() bool {
	return overspent(j.in.FailureShare, j.in.Progress.Tally)
}

func (j *running) turnOver(ctx workflow.Context) bool {
	return j.started >= j.in.Window.Turn || workflow.GetInfo(ctx).GetContinueAsNewSuggested()
}

func (j *running) hasMore(ctx workflow.Context) bool {
	return j.in.Progress.Next < j.in.Pages && ctx.Err() == nil && !j.overspent()
}

// continueAsNew starts the next turn, after the signals of this one were heard. Where
// workers are versioned, the release that is current then takes it.
func (j *running) continueAsNew(ctx workflow.Context) error {
	if err := workflow.Await(ctx, j.heard); err != nil {
		return err
	}
	j.in.Paused, j.in.Reason = j.window.paused, j.window.reason
	options := workflow.ContinueAsNewErrorOptions{InitialVersioningBehavior: workflow.ContinueAsNewVersioningBehaviorAutoUpgrade}
	return workflow.NewContinueAsNewErrorWithOptions(ctx, options, JobType, j.in)
}

func (j *running) heard() bool {
	return j.window.heard() && j.added.Len() == 0 && j.extending == 0
}

// finish writes the files, also where the job was canceled.
func (j *running) finish(ctx workflow.Context) (JobResult, error) {
	canceled := ctx.Err()
	in := FinaliseInput{JobInput: j.in, State: job.StateFinished, Open: j.window.openCode(ctx, j.overspent())}
	if canceled != nil {
		in.State = job.StateCanceled
	}
	settled, _ := workflow.NewDisconnectedContext(ctx)
	if err := j.telling.Lock(settled); err != nil {
		return JobResult{}, err
	}
	result, err := Finalise.untilDone(settled, in)
	if err == nil && canceled != nil {
		return JobResult{}, canceled
	}
	return result, err
}

// tell publishes the status. It is news, not the job: a failure to tell is not the job's.
func (j *running) tell(ctx workflow.Context) {
	if j.telling.Lock(ctx) != nil {
		return
	}
	defer j.telling.Unlock()
	_, _ = Tell.here(ctx, j.status(ctx))
}

func (j *running) status(ctx workflow.Context) Status {
	return Status{
		V: Version, Job: j.in.Job, State: j.state(), Reason: j.window.reason, Generation: j.in.Generation,
		Pages: j.in.Pages, PagesDone: j.done, Items: j.in.Items, Variants: j.in.Variants,
		Tally: j.tally(), DeviceUS: j.device().Microseconds(), Began: j.in.Progress.Began, Updated: clock(ctx),
	}
}

func clock(ctx workflow.Context) string {
	return workflow.Now(ctx).UTC().Format(time.RFC3339)
}
