package control

import (
	"context"
	"errors"
	"maps"
	"time"

	"github.com/winnow-video/winnow/workflows"
	"github.com/winnow-video/winnow/workflows/artifact"
	"github.com/winnow-video/winnow/workflows/job"
)

// look is how often watching reads the job's state, beside what events tell: a lost event costs no more.
const look = 2 * time.Second

// StageProgress counts what left a stage: videos (decode, encode) or records (prune, answer, record).
type StageProgress struct{ Done, Failed, Cached int }

// patience is how long watching goes on while storage does not answer. The job goes on likewise.
const patience = 15 * time.Minute

// Progress is a picture of a running job.
type Progress struct {
	State  job.State
	Away   bool // storage does not answer: the picture is old
	Items  int  // records there will be
	Stages map[job.Stage]StageProgress
}

// Watch tells of a job's progress whenever it changed, at most every 100 ms, until the job is
// over, its budget has paused it, or ctx ends. It returns the job as it is then.
func (j *Jobs) Watch(ctx context.Context, id job.ID, tell func(Progress)) (Job, error) {
	one, err := j.Show(ctx, id)
	if err != nil || still(one.Status) {
		return one, err
	}
	following, stop := context.WithCancel(ctx)
	defer stop()
	events := make(chan job.Event, 256)
	go j.follow(following, id, events)
	w := watch{generation: one.Status.Generation, seen: map[told]bool{}, stages: map[job.Stage]StageProgress{}}
	return j.watch(ctx, one, &w, events, tell)
}

func (j *Jobs) watch(ctx context.Context, one Job, w *watch, events <-chan job.Event, tell func(Progress)) (Job, error) {
	draw, looking := time.NewTicker(100*time.Millisecond), time.NewTicker(look)
	defer draw.Stop()
	defer looking.Stop()
	for {
		ended := false
		select {
		case <-ctx.Done():
			return one, ctx.Err()
		case e := <-events:
			ended = w.take(e)
		case <-draw.C:
			if w.changed {
				w.changed = false
				tell(w.progress(one))
			}
		case <-looking.C:
			ended = true
		}
		if !ended {
			continue
		}
		now, err := j.Show(ctx, one.ID)
		if w.bears(err) {
			tell(w.progress(one))
			continue
		}
		if err != nil {
			return one, err
		}
		w.changed = w.changed || now.Status.State != one.Status.State
		if one = now; still(one.Status) {
			tell(w.progress(one))
			return one, nil
		}
	}
}

// follow sends the job's events until ctx ends. Without events watching still sees the state.
func (j *Jobs) follow(ctx context.Context, id job.ID, events chan<- job.Event) {
	for ctx.Err() == nil {
		for e, err := range j.events.Follow(ctx, id) {
			if err != nil {
				break
			}
			select {
			case events <- e:
			case <-ctx.Done():
				return
			}
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
		}
	}
}

// told identifies an event. There are several for every video of a job.
type told struct {
	page, video, line int32
	stage             job.Stage
}

// watch adds events up. Activities repeat, and so do events: each counts once.
type watch struct {
	generation int
	seen       map[told]bool
	stages     map[job.Stage]StageProgress
	changed    bool
	away       time.Time // since when storage does not answer; zero if it does
}

// bears says whether an error is storage's being away, for not too long yet.
func (w *watch) bears(err error) bool {
	if !errors.Is(err, artifact.ErrUnavailable) {
		w.away = time.Time{}
		return false
	}
	if w.away.IsZero() {
		w.away = time.Now()
	}
	return time.Since(w.away) < patience
}

// still says whether nothing happens to a job until somebody does something.
func still(st workflows.Status) bool { return over(st) || st.Halted() }

// take adds an event and says whether it may be the job's end.
func (w *watch) take(e job.Event) bool {
	if e.Kind == job.EventState {
		return e.State != job.StateRunning
	}
	once := told{int32(e.Page), int32(e.Video), int32(e.Line), e.Stage}
	if e.Generation != w.generation || w.seen[once] {
		return false
	}
	w.seen[once], w.changed = true, true
	p := w.stages[e.Stage]
	w.stages[e.Stage] = StageProgress{p.Done + e.Done, p.Failed + e.Failed, p.Cached + e.Cached}
	return false
}

func (w *watch) progress(one Job) Progress {
	return Progress{State: one.Status.State, Away: !w.away.IsZero(), Items: records(one.Status), Stages: maps.Clone(w.stages)}
}

func records(st workflows.Status) int { return st.Items * max(1, st.Variants) }
