package workflows

import (
	"github.com/winnow-video/winnow/workflows/job"

	"go.temporal.io/sdk/workflow"
)

// window runs children in order, so many at a time, and none while paused.
type window struct {
	width  int
	paused bool
	halted func() bool // true: no further child starts
	open   int
	heard  func() bool // no signal waits
}

// run starts child for next, next+1, … below end, waits for all it started to
// close, and returns the first that was not started.
func (w *window) run(ctx workflow.Context, next, end int, child func(ctx workflow.Context, i int)) int {
	for ; next < end; next++ {
		if err := workflow.Await(ctx, w.free); err != nil || w.halted() {
			break
		}
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

// listen keeps w.paused as the signals say, and calls changed after each.
func (w *window) listen(ctx workflow.Context, changed func(ctx workflow.Context)) {
	pause := workflow.GetSignalChannel(ctx, SignalPause)
	resume := workflow.GetSignalChannel(ctx, SignalResume)
	w.heard = func() bool { return pause.Len()+resume.Len() == 0 }
	workflow.Go(ctx, func(ctx workflow.Context) {
		for {
			workflow.NewSelector(ctx).
				AddReceive(pause, func(c workflow.ReceiveChannel, _ bool) { c.Receive(ctx, nil); w.paused = true }).
				AddReceive(resume, func(c workflow.ReceiveChannel, _ bool) { c.Receive(ctx, nil); w.paused = false }).
				Select(ctx)
			changed(ctx)
		}
	})
}

// overspent says whether failures are more than share of what ended, once enough has.
func overspent(share float64, t Tally) bool {
	const enough = 20
	return share > 0 && t.Ended() >= enough && float64(t.Failed) > share*float64(t.Ended())
}

// openCode is the end of items that were not reached.
func openCode(ctx workflow.Context, overspent bool) job.Code {
	switch {
	case ctx.Err() != nil:
		return job.CanceledJob
	case overspent:
		return job.BudgetSpent
	}
	return job.InternalLost
}
