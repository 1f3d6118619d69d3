package workers

import (
	"context"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/winnow-video/winnow/workflows"
	"github.com/winnow-video/winnow/workflows/job"
)

// beatEvery is how often a running activity shows that it lives, and hears
// whether it is canceled.
const beatEvery = 4 * time.Second

// versioned is an input that tells its version.
type versioned interface{ InputVersion() int }

// guard makes an activity of a stage's function: it leaves inputs of another
// version to other workers, heartbeats, and seals the error.
func guard[In versioned, Out any](stage job.Stage, do func(context.Context, In) (Out, error)) func(context.Context, In) (Out, error) {
	return func(ctx context.Context, in In) (out Out, err error) {
		defer beat(ctx)()
		if v := in.InputVersion(); v != workflows.Version {
			err = &foreign{job.Fail(stage, job.InternalVersion, "input of version %d, this worker reads version %d", v, workflows.Version)}
		} else {
			out, err = do(ctx, in)
		}
		if err != nil {
			var none Out
			return none, sealed(ctx, stage, err, activity.GetInfo(ctx).Attempt)
		}
		return out, nil
	}
}

// waiting is guard for activities that only wait: there is no sense in a
// stopping worker waiting with them, so they end at once and go on elsewhere.
func waiting[In versioned, Out any](stage job.Stage, do func(context.Context, In) (Out, error)) func(context.Context, In) (Out, error) {
	return guard(stage, func(ctx context.Context, in In) (Out, error) {
		stop := activity.GetWorkerStopChannel(ctx)
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		go func() {
			select {
			case <-stop:
				cancel()
			case <-ctx.Done():
			}
		}()
		return do(ctx, in)
	})
}

// beat heartbeats until stopped.
func beat(ctx context.Context) (stop func()) {
	ctx, stop = context.WithCancel(ctx)
	go func() {
		ticker := time.NewTicker(beatEvery)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				activity.RecordHeartbeat(ctx)
			}
		}
	}()
	return stop
}

// spent is what an activity took that began its work at began.
func spent(ctx context.Context, began time.Time) workflows.Spent {
	info := activity.GetInfo(ctx)
	return workflows.Spent{
		QueueMS: max(0, info.StartedTime.Sub(info.ScheduledTime).Milliseconds()),
		WorkMS:  time.Since(began).Milliseconds(),
		Attempt: int(info.Attempt),
	}
}
