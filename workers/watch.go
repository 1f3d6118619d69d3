package workers

import (
	"context"
	"errors"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"

	"github.com/winnow-video/winnow/workflows"
	"github.com/winnow-video/winnow/workflows/job"
)

// Watcher is told what a worker does. Its methods are called side by side.
type Watcher interface {
	// Activity tells how an activity's attempt ended: ok, canceled, missing where an
	// artifact was gone, or the code of its failure.
	Activity(name, outcome string, took time.Duration)
	// Decoded tells how a run of winnow-decode ended: ok, failed, killed or canceled,
	// and the bytes that were read for it.
	Decoded(outcome string, fetched int64)
	// Calling tells how many slots of queue winnow-call are in use, and how many
	// requests for inference are out.
	Calling(slots, requests int)
}

// unwatched is a Watcher that nobody hears.
type unwatched struct{}

func (unwatched) Activity(string, string, time.Duration) {}
func (unwatched) Decoded(string, int64)                  {}
func (unwatched) Calling(int, int)                       {}

// watching tells a Watcher of activities.
type watching struct {
	interceptor.WorkerInterceptorBase
	watch Watcher
}

// InterceptActivity implements interceptor.WorkerInterceptor.
func (w *watching) InterceptActivity(_ context.Context, next interceptor.ActivityInboundInterceptor) interceptor.ActivityInboundInterceptor {
	return &watchedActivity{interceptor.ActivityInboundInterceptorBase{Next: next}, w.watch}
}

type watchedActivity struct {
	interceptor.ActivityInboundInterceptorBase
	watch Watcher
}

// ExecuteActivity implements interceptor.ActivityInboundInterceptor.
func (a *watchedActivity) ExecuteActivity(ctx context.Context, in *interceptor.ExecuteActivityInput) (any, error) {
	began := time.Now()
	out, err := a.Next.ExecuteActivity(ctx, in)
	a.watch.Activity(activity.GetInfo(ctx).ActivityType.Name, outcome(err), time.Since(began))
	return out, err
}

// outcome is how an attempt ended, of what sealed made of its error.
func outcome(err error) string {
	var application *temporal.ApplicationError
	switch {
	case err == nil:
		return "ok"
	case errors.Is(err, context.Canceled):
		return "canceled"
	case !errors.As(err, &application):
		return string(job.InternalError)
	case application.Type() == workflows.ErrorMissing:
		return "missing"
	}
	var f job.Failure
	if application.Details(&f) != nil {
		return string(job.InternalError)
	}
	return string(f.Code)
}

// decoded is how a run of winnow-decode ended, by its error.
func decoded(err error) string {
	var f *job.Failure
	switch {
	case err == nil:
		return "ok"
	case errors.Is(err, context.Canceled):
		return "canceled"
	case errors.As(err, &f) && (f.Code == job.InputTimeout || f.Code == job.InputMemory || f.Code == job.CapacityKilled):
		return "killed"
	}
	return "failed"
}
