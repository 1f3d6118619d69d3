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
	left   func() int  // not started yet; nil before run
	heard  func() bool // no signal waits
}

// run starts child for next, next+1, … below end, which may grow, waits for all it
// started to close, and returns the first that was not started.
func (w *window) run(ctx workflow.Context, next int, end func() int, child func(ctx workflow.Context, i int)) int {
	w.left = func() int { return end() - next }
	for workflow.Await(ctx, w.moves) == nil && !w.halted() && w.left() > 0 {
		i := next
		next++
		w.start(ctx, i, child)
	}
	settled, _ := workflow.NewDisconnectedContext(ctx)
	_ = workflow.Await(settled, func() bool { return w.open == 0 })
	return next
}

// moves says whether a child can start, or none is to come.
func (w *window) moves() bool {
	if w.halted() {
		return true
	}
	if w.left() <= 0 {
		return w.open == 0
	}
	return !w.paused && w.open < w.width
}

// upTo is an end that stays.
func upTo(n int) func() int { return func() int { return n } }

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
