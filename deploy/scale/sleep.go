package main

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/interceptor"

	"github.com/winnow-video/winnow/workflows"
	"github.com/winnow-video/winnow/workflows/artifact"
	"github.com/winnow-video/winnow/workflows/job"
)

// How long the stages sleep in place of their work. They are short, so that
// orchestration is what a run waits for.
const (
	locateSleep = 5 * time.Millisecond
	decodeSleep = 40 * time.Millisecond
	encodeSleep = 40 * time.Millisecond
	pruneSleep  = 5 * time.Millisecond
	answerSleep = 40 * time.Millisecond
)

// sleeper stands between Temporal's worker and the activities: Locate, Decode,
// Encode, Prune and Answer sleep, tell their event and say that all went well;
// the others are Winnow's own.
type sleeper struct {
	interceptor.InterceptorBase
	tell     func(job.Event)
	recorded atomic.Int64 // videos whose draft is stored
}

// InterceptActivity implements interceptor.WorkerInterceptor.
func (s *sleeper) InterceptActivity(_ context.Context, next interceptor.ActivityInboundInterceptor) interceptor.ActivityInboundInterceptor {
	a := &sleepingActivity{sleeper: s}
	a.Next = next
	return a
}

type sleepingActivity struct {
	interceptor.ActivityInboundInterceptorBase
	sleeper *sleeper
}

// ExecuteActivity implements interceptor.ActivityInboundInterceptor.
func (a *sleepingActivity) ExecuteActivity(ctx context.Context, in *interceptor.ExecuteActivityInput) (any, error) {
	switch activity.GetInfo(ctx).ActivityType.Name {
	case string(workflows.Locate):
		return a.sleeper.locate(ctx, in.Args[0].(workflows.VideoInput))
	case string(workflows.Decode):
		return a.sleeper.video(ctx, in, job.StageDecode, decodeSleep)
	case string(workflows.Encode):
		return a.sleeper.video(ctx, in, job.StageEncode, encodeSleep)
	case string(workflows.Prune):
		return a.sleeper.items(ctx, in, job.StagePrune, pruneSleep)
	case string(workflows.Answer):
		return a.sleeper.items(ctx, in, job.StageAnswer, answerSleep)
	}
	out, err := a.Next.ExecuteActivity(ctx, in)
	if err == nil && activity.GetInfo(ctx).ActivityType.Name == string(workflows.Record) {
		a.sleeper.recorded.Add(1)
	}
	return out, err
}

// locate names artifacts as Locate does, and finds none of them.
func (s *sleeper) locate(ctx context.Context, in workflows.VideoInput) (workflows.Located, error) {
	began := time.Now()
	source := "sha256-" + artifact.Digest(in) + artifact.Digest(in.Job)
	clip := artifact.Clip(source, locateSleep)
	keys := workflows.Keys{Source: source, Clip: clip, Tokens: artifact.Tokens(clip, encodeSleep)}
	err := sleep(ctx, locateSleep)
	return workflows.Located{Keys: keys, Spent: spent(ctx, began)}, err
}

// video is a stage that ends with one artifact of the video's.
func (s *sleeper) video(ctx context.Context, in *interceptor.ExecuteActivityInput, stage job.Stage, d time.Duration) (workflows.Spent, error) {
	began := time.Now()
	err := sleep(ctx, d)
	s.ended(in.Args[0].(workflows.StageInput).VideoInput, stage, 1)
	return spent(ctx, began), err
}

// items is a stage that ends with an artifact of every item.
func (s *sleeper) items(ctx context.Context, in *interceptor.ExecuteActivityInput, stage job.Stage, d time.Duration) (workflows.Items, error) {
	began := time.Now()
	err := sleep(ctx, d)
	video := in.Args[0].(workflows.StageInput).VideoInput
	s.ended(video, stage, len(video.Asks))
	return workflows.Items{Spent: spent(ctx, began)}, err
}

func (s *sleeper) ended(in workflows.VideoInput, stage job.Stage, done int) {
	s.tell(job.Event{
		Job: in.Job, Kind: job.EventStage, Time: time.Now().UTC(), Generation: in.Generation,
		Page: in.Page, Video: in.Video, Line: in.Asks[0].Line, Stage: stage, Done: done,
	})
}

func spent(ctx context.Context, began time.Time) workflows.Spent {
	info := activity.GetInfo(ctx)
	return workflows.Spent{
		QueueMS: info.StartedTime.Sub(info.ScheduledTime).Milliseconds(),
		WorkMS:  time.Since(began).Milliseconds(), BytesFetched: 1 << 20, Attempt: int(info.Attempt),
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return fmt.Errorf("asleep: %w", ctx.Err())
	case <-time.After(d):
		return nil
	}
}
