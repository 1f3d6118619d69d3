package workflows

import (
	"slices"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/winnow-video/winnow/workflows/job"
)

// maxAnswers is how many questions one Answer activity waits for.
const maxAnswers = 16

// Video takes one video and its questions through the stages and stores their
// records as a draft. A failed stage is the typed failure of exactly its items.
func Video(ctx workflow.Context, in VideoInput) (Tally, error) {
	in.known(ctx)
	v := &video{in: in, began: workflow.Now(ctx)}
	stage, err := v.walkAgain(ctx)
	tally, recordErr := v.record(ctx, stage, err)
	if ctx.Err() != nil {
		return Tally{}, ctx.Err()
	}
	return tally, recordErr
}

type video struct {
	in     VideoInput
	began  time.Time
	keys   Keys
	failed []ItemFailure
	cached []Item // answered by an earlier run
	run    job.Run
}

// walkAgain walks until no artifact vanished on the way. It returns the stage
// that failed the whole video, if one did.
func (v *video) walkAgain(ctx workflow.Context) (stage job.Stage, err error) {
	for range walks {
		v.failed, v.cached = nil, nil
		stage, err = v.walk(ctx)
		if !isMissing(err) {
			break
		}
	}
	return stage, err
}

func (v *video) walk(ctx workflow.Context) (job.Stage, error) {
	located, err := v.locate(ctx)
	if err != nil {
		return job.StageFetch, err
	}
	v.found(located)
	v.cached, v.failed = located.Answered, located.Failed
	if len(v.cached) > 0 || len(v.failed) > 0 {
		return "", nil
	}
	if stage, err := v.makeTokens(ctx, located); err != nil || len(v.failed) > 0 {
		return stage, err
	}
	if err := v.prune(ctx); err != nil {
		return job.StagePrune, err
	}
	return job.StageAnswer, v.answerAll(ctx)
}

func (v *video) locate(ctx workflow.Context) (Located, error) {
	if v.in.AtHand {
		return Locate.atHand(ctx, QueueMain, v.in)
	}
	return Locate.on(ctx, QueueMain, v.in)
}

func (v *video) found(l Located) {
	v.keys = l.Keys
	v.run.Timing.Fetch += l.Spent.WorkMS
	v.run.Cache = job.Cache{Clip: l.HaveClip || l.HaveTokens, Tokens: l.HaveTokens}
	v.spent(l.Spent)
}

// makeTokens ends early where no item's prompt can fit the model's context: they
// have failed then.
func (v *video) makeTokens(ctx workflow.Context, l Located) (job.Stage, error) {
	if l.HaveTokens {
		return "", nil
	}
	if !l.HaveClip {
		clip, err := Decode.on(ctx, QueueDecode, v.stage(v.in.Asks))
		if err != nil {
			return job.StageDecode, err
		}
		v.run.Timing.Decode += clip.WorkMS
		v.spent(clip.Spent)
		if v.failed = clip.Failed; len(v.failed) > 0 {
			return "", nil
		}
	}
	spent, err := Encode.on(ctx, QueueCall, v.stage(v.in.Asks))
	v.run.Timing.Encode += spent.WorkMS
	v.spent(spent)
	return job.StageEncode, err
}

func (v *video) prune(ctx workflow.Context) error {
	items, err := Prune.on(ctx, QueueMain, v.stage(v.in.Asks))
	v.failed = append(v.failed, items.Failed...)
	v.run.Timing.Prune += items.Spent.WorkMS
	v.spent(items.Spent)
	return err
}

// answerAll asks in groups, side by side; the slowest is what the stage took.
func (v *video) answerAll(ctx workflow.Context) error {
	var slowest int64
	var failed error
	w := &window{width: len(v.in.Asks), halted: func() bool { return false }}
	groups, pruned := chunks(v.in.Asks, maxAnswers), v.failed
	w.run(ctx, 0, upTo(len(groups)), func(ctx workflow.Context, i int) {
		in := v.stage(groups[i])
		in.Except = failedOf(groups[i], pruned)
		items, err := Answer.on(ctx, QueueCall, in)
		if err != nil {
			failed = err
		}
		v.failed = append(v.failed, items.Failed...)
		v.cached = append(v.cached, items.Cached...)
		slowest = max(slowest, items.Spent.WorkMS)
		v.spent(items.Spent)
	})
	v.run.Timing.Answer += slowest
	if failed == nil {
		failed = ctx.Err() // groups that were not begun
	}
	return failed
}

// failedOf is the failed items among asks.
func failedOf(asks []Ask, failed []ItemFailure) (items []Item) {
	for _, f := range failed {
		if slices.ContainsFunc(asks, func(a Ask) bool { return a.Line == f.Line }) {
			items = append(items, f.Item)
		}
	}
	return items
}

func (v *video) stage(asks []Ask) StageInput {
	in := StageInput{VideoInput: v.in, Keys: v.keys}
	in.Asks = asks
	return in
}

func (v *video) spent(s Spent) {
	v.run.Timing.Queue += s.QueueMS
	v.run.BytesFetched += s.BytesFetched
	v.run.DeviceUS += s.DeviceUS
	v.run.Attempts = max(v.run.Attempts, s.Attempt)
}

// record stores the draft even where the job is canceled: what is answered stays answered.
func (v *video) record(ctx workflow.Context, stage job.Stage, err error) (Tally, error) {
	in := RecordInput{StageInput: v.stage(v.in.Asks), Failed: v.failed, Cached: v.cached}
	if err != nil {
		in.Failure = failureOf(stage, err)
	}
	v.run.Timing.Total = workflow.Now(ctx).Sub(v.began).Milliseconds()
	in.Outcome = v.run
	settled, _ := workflow.NewDisconnectedContext(ctx)
	tally, err := Record.here(settled, in)
	return v.account(tally), err
}

func (v *video) account(t Tally) Tally {
	t.Videos = 1
	t.Timing = v.run.Timing
	t.BytesFetched = v.run.BytesFetched
	t.DeviceUS = v.run.DeviceUS
	t.Cached = Cached{
		Clips: count(v.run.Cache.Clip), Tokens: count(v.run.Cache.Tokens), Answers: len(v.cached),
	}
	return t
}

func count(b bool) int {
	if b {
		return 1
	}
	return 0
}

func chunks[T any](all []T, size int) [][]T {
	var out [][]T
	for ; len(all) > size; all = all[size:] {
		out = append(out, all[:size])
	}
	return append(out, all)
}
