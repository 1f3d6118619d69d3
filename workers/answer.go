package workers

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/winnow-video/winnow/workflows"
	"github.com/winnow-video/winnow/workflows/artifact"
	"github.com/winnow-video/winnow/workflows/bus"
	"github.com/winnow-video/winnow/workflows/job"
)

// answer has winnow-infer answer a group of questions, all at once: what can
// share a batch is for it to see. A failure is its item's alone.
func (s *stages) answer(ctx context.Context, in workflows.StageInput) (workflows.Items, error) {
	began := time.Now()
	w, err := s.workOf(ctx, in)
	if err != nil {
		return workflows.Items{}, err
	}
	have, todo, err := s.split(ctx, w.items, func(t task) artifact.Key { return t.answer })
	if err != nil {
		return workflows.Items{}, err
	}
	out := workflows.Items{Cached: have}
	device, err := s.answerAll(ctx, w, todo, &out)
	if err != nil {
		return workflows.Items{}, err
	}
	s.tellItems(in.VideoInput, job.StageAnswer, len(w.items), out)
	out.Spent = spent(ctx, began)
	out.Spent.DeviceUS = device.Microseconds()
	return out, nil
}

func (s *stages) answerAll(ctx context.Context, w *work, todo []task, out *workflows.Items) (device time.Duration, err error) {
	asking := s.calls.begin(ctx, w.in.Bundle, len(todo))
	defer asking.done()
	var mu sync.Mutex
	err = each(ctx, len(todo), len(todo), func(ctx context.Context, i int) error {
		r := answerRequest(w, todo[i])
		took, err := s.ask(ctx, asking, w, r, cmp.Or(r.Answer.Clip, todo[i].kept))
		mu.Lock()
		defer mu.Unlock()
		device += took
		return note(ctx, out, todo[i], err)
	})
	return device, err
}

func answerRequest(w *work, t task) bus.Request {
	r := bus.Request{
		V: bus.Version, Bundle: w.in.Bundle, Out: t.answer,
		Answer: &bus.AnswerRequest{
			Kept: t.kept, Page: w.in.PageKey(), Line: t.Line,
			Generate: w.spec.Generate, Fit: w.spec.Fit,
		},
	}
	if w.bundle.Pictures() {
		r.Answer.Clip = w.in.Clip
	}
	return r
}

// note sorts an item's end: what is wrong with one item does not concern the
// others, but a missing artifact or a cancellation ends the activity.
func note(ctx context.Context, out *workflows.Items, t task, err error) error {
	var gone *missing
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &gone):
		return err
	case err != nil:
		out.Failed = append(out.Failed, failuresOf([]task{t}, job.StageAnswer, err)...)
	}
	return nil
}
