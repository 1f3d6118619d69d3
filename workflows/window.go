package workflows

import (
	"github.com/winnow-video/winnow/workflows/job"

	"go.temporal.io/sdk/workflow"
)

// window runs children in order, so many at a time, and none while paused.
type window struct {
	width  int
	paused bool
	reason string      // of the pause, where it is the budget's
	halted func() bool // true: no further child starts
	open   int
	left   int         // not started yet
	heard  func() bool // no signal waits
}

// run starts child for next, next+1, … below end, waits for all it started to
// close, and returns the first that was not started.
func (w *window) run(ctx workflow.Context, next, end int, child func(ctx workflow.Context, i int)) int {
	for ; next < end; next++ {
		w.left = end - next
		if err := workflow.Await(ctx, w.free); err != nil || w.halted() {
			break
		}
		w.left--
		w.start(ctx, next, child)
	}
	settled, _ := workflow.NewDisconnectedContext(ctx)
	_ = workflow.Await(settled, func() bool { return w.open == 0 })
	return next
}

func (w *window) free() bool {
	return w.halted() || (!w.paused && w.open < w.width)
}

func (w *window) start(ctx workflow.Context, i int, child func(ctx workflow.Context, i int)) {
	w.open++
	workflow.Go(ctx, func(ctx workflow.Context) {
		defer func() { w.open-- }()
		child(ctx, i)
	})
}

// overspent says whether a job that began before budgets paused jobs is to end.
func overspent(share float64, t Tally) bool {
	return job.Budget{FailureShare: share}.Failing(t.Ended(), t.Failed)
}

// openCode is the end of items that were not reached: the budget's, where a job
// that it has paused is canceled.
func (w *window) openCode(ctx workflow.Context, overspent bool) job.Code {
	switch {
	case overspent, ctx.Err() != nil && w.reason != "":
		return job.BudgetSpent
	case ctx.Err() != nil:
		return job.CanceledJob
	}
	return job.InternalLost
}
