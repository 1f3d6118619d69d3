package workflows

import (
	"go.temporal.io/sdk/workflow"

	"github.com/winnow-video/winnow/workflows/job"
)

// Steer is what goes along with SignalPause and SignalResume.
type Steer struct {
	Reason string      `json:"reason,omitempty"` // of a pause: which bound of the budget is reached; empty: somebody asked for it
	Budget *job.Budget `json:"budget,omitempty"` // of a resume: the budget from now on; nil: as it was
}

// Report is what a Page of a job with a budget tells its Job, with SignalReport.
type Report struct {
	Page    int   `json:"page"`
	Tally   Tally `json:"tally"`             // of its videos so far
	Resting bool  `json:"resting,omitempty"` // it is paused, and no video of it is open
}

// listen keeps w.paused and w.reason as the signals say, and calls steered after each.
func (w *window) listen(ctx workflow.Context, steered func(ctx workflow.Context, s Steer)) {
	pause := workflow.GetSignalChannel(ctx, SignalPause)
	resume := workflow.GetSignalChannel(ctx, SignalResume)
	w.heard = func() bool { return pause.Len()+resume.Len() == 0 }
	workflow.Go(ctx, func(ctx workflow.Context) {
		for {
			var s Steer
			workflow.NewSelector(ctx).
				AddReceive(pause, func(c workflow.ReceiveChannel, _ bool) { c.Receive(ctx, &s); w.pause(s.Reason) }).
				AddReceive(resume, func(c workflow.ReceiveChannel, _ bool) { c.Receive(ctx, &s); w.resume() }).
				Select(ctx)
			steered(ctx, s)
		}
	})
}

// pause keeps the reason of an earlier pause: it still holds.
func (w *window) pause(reason string) {
	w.paused = true
	if reason != "" {
		w.reason = reason
	}
}

func (w *window) resume() { w.paused, w.reason = false, "" }

// steer is what a window's state says to other windows.
func (w *window) steer(budget job.Budget) (signal string, s Steer) {
	if w.paused {
		return SignalPause, Steer{Reason: w.reason}
	}
	return SignalResume, Steer{Budget: &budget}
}
