package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/winnow-video/winnow/workflows/control"
	"github.com/winnow-video/winnow/workflows/job"
	"github.com/winnow-video/winnow/workflows/wait"
)

// barStages are the stages that are drawn, and what they count.
func barStages() []job.Stage {
	return []job.Stage{job.StageDecode, job.StageEncode, job.StagePrune, job.StageAnswer}
}

// follow watches the job until it is over, with a bar per stage on a terminal and
// a line every few seconds elsewhere. videos is their number, 0 if unknown.
func (a *app) follow(ctx context.Context, s *session, id job.ID, videos int) (control.Job, error) {
	var view interface {
		show(control.Progress)
		close()
	} = &lines{a: a, every: 5 * time.Second}
	if isTerminal(a.err) {
		view = newBars(a, videos)
	}
	defer view.close()
	watching, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	go a.mind(watching, s, id, stop)
	one, err := s.jobs.Watch(watching, id, view.show)
	var ended *endedError
	if errors.As(context.Cause(watching), &ended) && ctx.Err() == nil {
		return one, ended
	}
	return one, err
}

// mindEvery is how often who follows a job looks whether something is in its way.
const mindEvery = 10 * time.Second

// endedError says that nothing happens to a job any more, and what to do.
type endedError struct{ reason string }

func (e *endedError) Error() string { return e.reason }

// mind says what is in a job's way, each thing once, and stops following one whose
// workflow has ended before its time: seen twice, for one that is over tells it first.
func (a *app) mind(ctx context.Context, s *session, id job.ID, stop context.CancelCauseFunc) {
	var last control.Hold
	for wait.Sleep(ctx, mindEvery) == nil {
		hold, err := s.jobs.Hold(ctx, id)
		if err != nil {
			continue // Temporal is away: it comes back
		}
		switch {
		case hold.Ended && hold == last:
			stop(&endedError{hold.Reason})
		case hold.Reason != "" && hold != last && !hold.Ended:
			a.tell("held up: " + hold.Reason)
		}
		last = hold
	}
}

// attend follows a job that others may run, and says first what it waits for.
func (a *app) attend(ctx context.Context, s *session, id job.ID) (control.Job, error) {
	one, err := s.jobs.Show(ctx, id)
	if err == nil && one.Summary == nil && !one.Status.Halted() {
		a.tellWaiting(ctx, s, id)
	}
	return a.follow(ctx, s, id, 0)
}

// bars draws one bar per stage.
type bars struct {
	progress *mpb.Progress
	bars     map[job.Stage]*mpb.Bar
	videos   int
}

func newBars(a *app, videos int) *bars {
	b := &bars{progress: mpb.New(mpb.WithOutput(a.err), mpb.WithWidth(64)), bars: map[job.Stage]*mpb.Bar{}, videos: videos}
	for _, stage := range barStages() {
		b.bars[stage] = b.progress.AddBar(0,
			mpb.PrependDecorators(decor.Name(string(stage), decor.WC{W: 8, C: decor.DindentRight}), decor.CountersNoUnit("%d / %d", decor.WCSyncWidth)),
			mpb.AppendDecorators(decor.Percentage(decor.WC{W: 5})))
	}
	return b
}

func (b *bars) show(p control.Progress) {
	for stage, bar := range b.bars {
		done := int64(p.Stages[stage].Done)
		bar.SetTotal(max(done, int64(total(p, stage, b.videos))), false)
		bar.SetCurrent(done)
	}
}

// total is how much passes the stage: videos or records.
func total(p control.Progress, stage job.Stage, videos int) int {
	if stage == job.StageDecode || stage == job.StageEncode {
		return videos
	}
	return p.Items
}

// close leaves the bars as they are: failed items never fill the later ones.
func (b *bars) close() {
	for _, bar := range b.bars {
		bar.Abort(false)
	}
	b.progress.Wait()
}

// lines prints a line now and then, where bars cannot be drawn.
type lines struct {
	a     *app
	every time.Duration
	last  time.Time
}

func (l *lines) show(p control.Progress) {
	if time.Since(l.last) < l.every {
		return
	}
	l.last = time.Now()
	if p.Away {
		l.a.tell("storage does not answer; waiting for it, as the job does")
		return
	}
	var parts []string
	for _, stage := range barStages() {
		parts = append(parts, fmt.Sprintf("%s %d", stage, p.Stages[stage].Done))
	}
	l.a.tell(fmt.Sprintf("%s: %s of %d records", p.State, strings.Join(parts, ", "), p.Items))
}

func (l *lines) close() {}
