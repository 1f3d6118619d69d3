package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/winnow-video/winnow/workflows/job"
)

// reports is how often a Page tells what a budget of device time was spent on, at
// most: so many times in all of the budget, and once a video.
const reports = 50

// hear takes the pages' reports in.
func (j *running) hear(ctx workflow.Context) {
	told := workflow.GetSignalChannel(ctx, SignalReport)
	workflow.Go(ctx, func(ctx workflow.Context) {
		for {
			var r Report
			told.Receive(ctx, &r)
			if j.open[r.Page] == nil {
				continue // it has closed
			}
			was := j.state()
			j.reports[r.Page] = r
			j.weigh(ctx)
			if j.state() != was {
				j.tell(ctx)
			}
		}
	})
}

// weigh pauses the job if its budget is spent: no new Video starts, open ones end.
func (j *running) weigh(ctx workflow.Context) {
	if j.window.paused {
		return
	}
	tally := j.tally()
	reason := j.in.Budget.Spent(j.device(), tally.Ended(), tally.Failed)
	if reason == "" {
		return
	}
	j.window.pause(reason)
	j.steerPages(ctx)
}

// tally is of closed pages, and of what open ones have reported.
func (j *running) tally() Tally {
	t := j.in.Progress.Tally
	for _, i := range workflow.DeterministicKeys(j.reports) {
		t = t.Plus(j.reports[i].Tally)
	}
	return t
}

// device is what devices ran for the job, in all its generations.
func (j *running) device() time.Duration {
	us := j.in.Progress.DeviceUS
	for _, i := range workflow.DeterministicKeys(j.reports) {
		us += j.reports[i].Tally.DeviceUS
	}
	return time.Duration(us) * time.Microsecond
}

// resting says whether no video is open any more, and some are to come. Only pages
// of a job with a budget tell.
func (j *running) resting() bool {
	if j.done >= j.in.Pages {
		return false
	}
	for _, i := range workflow.DeterministicKeys(j.open) {
		if !j.reports[i].Resting {
			return false
		}
	}
	return true
}

// state is paused by the budget only once all that was open has ended.
func (j *running) state() job.State {
	if j.window.paused && (j.window.reason == "" || j.resting()) {
		return job.StatePaused
	}
	return job.StateRunning
}

// account has a Page report what its job's budget is spent on.
func (p *page) account(ctx workflow.Context) {
	if p.in.Budget == (job.Budget{}) {
		return
	}
	parent := workflow.GetInfo(ctx).ParentWorkflowExecution
	workflow.Go(ctx, func(ctx workflow.Context) {
		for workflow.Await(ctx, p.due) == nil {
			p.reported = Report{Page: p.in.Page, Tally: p.tally, Resting: p.resting()}
			_ = workflow.SignalExternalWorkflow(ctx, parent.ID, "", SignalReport, p.reported).Get(ctx, nil) // the next one says it again
		}
	})
}

// resting says whether nothing happens until the job is resumed.
func (p *page) resting() bool {
	return p.window.paused && p.window.open == 0 && p.window.left != nil && p.window.left() > 0
}

// due says whether there is something that the Job does not know and has to.
func (p *page) due() bool {
	if p.resting() != p.reported.Resting {
		return true
	}
	budget, told := p.in.Budget, p.reported.Tally
	device := time.Duration(p.tally.DeviceUS-told.DeviceUS) * time.Microsecond
	return budget.Device() > 0 && device > 0 && device >= budget.Device()/reports ||
		budget.Failing(p.tally.Ended()-told.Ended(), p.tally.Failed-told.Failed)
}

// weigh pauses the page if it alone, on top of what was spent when it began,
// reaches the budget of device time. The Job knows of the other pages, too.
func (p *page) weigh() {
	device := time.Duration(p.in.DeviceUS+p.tally.DeviceUS) * time.Microsecond
	timed := p.in.Budget
	timed.FailureShare = 0 // other pages may do better
	if reason := timed.Spent(device, 0, 0); reason != "" {
		p.window.pause(reason)
	}
}
