package workers

import (
	"context"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/winnow-video/winnow/infer/bundle"
	"github.com/winnow-video/winnow/prune"
	"github.com/winnow-video/winnow/workflows"
	"github.com/winnow-video/winnow/workflows/artifact"
	"github.com/winnow-video/winnow/workflows/job"
)

// work is a video's questions, with all that decides their keys.
type work struct {
	in       workflows.StageInput
	spec     job.Spec
	bundle   *bundle.Bundle
	policies []prune.Policy // by variant
	items    []task
}

// task is one item of a video: one variant of one line.
type task struct {
	workflows.Item
	item   job.Item
	kept   artifact.Key
	answer artifact.Key
}

// workOf reads what a stage needs to know about a video's questions.
func (s *stages) workOf(ctx context.Context, in workflows.StageInput) (*work, error) {
	w := &work{in: in}
	var err error
	if w.spec, err = s.files.spec(ctx, in.Job); err != nil {
		return nil, err
	}
	if w.bundle, err = s.files.bundle(ctx, in.Run); err != nil {
		return nil, err
	}
	if err := w.bundle.Prunes(w.spec.Prune); err != nil {
		return nil, job.Fail(job.StagePrune, job.ConfigInvalid, "%v", err)
	}
	lines, err := s.files.page(ctx, in.PageKey())
	if err != nil {
		return nil, err
	}
	if w.policies, err = policies(w.spec, w.bundle); err != nil {
		return nil, err
	}
	return w, w.fill(lines)
}

func policies(spec job.Spec, b *bundle.Bundle) ([]prune.Policy, error) {
	all := make([]prune.Policy, len(spec.Prune))
	for i, p := range spec.Prune {
		policy, err := prune.New(pruneOptions(p, &b.Manifest))
		if err != nil {
			return nil, job.Fail(job.StagePrune, job.ConfigInvalid, "prune[%d]: %v", i, err)
		}
		all[i] = policy
	}
	return all, nil
}

func (w *work) fill(lines []job.Item) error {
	for _, ask := range w.in.Asks {
		if ask.Line < 0 || ask.Line >= len(lines) {
			return fmt.Errorf("line %d of a page of %d", ask.Line, len(lines))
		}
		for _, variant := range variantsOf(ask, len(w.spec.Prune)) {
			at := workflows.Item{Line: ask.Line, Variant: variant}
			if !slices.Contains(w.in.Except, at) {
				w.items = append(w.items, w.task(lines[ask.Line], at))
			}
		}
	}
	return nil
}

func (w *work) task(item job.Item, at workflows.Item) task {
	t := task{Item: at, item: item}
	if w.in.Tokens != "" {
		t.kept = keptKey(w.in.Tokens, item, w.spec.Prune[at.Variant], w.policies[at.Variant], w.bundle)
		t.answer = answerKey(t.kept, item, w.spec, w.bundle.Digest())
	}
	return t
}

// variantsOf lists the variants that are wanted of a line.
func variantsOf(ask workflows.Ask, all int) []int {
	if len(ask.Variants) > 0 {
		return ask.Variants
	}
	variants := make([]int, all)
	for i := range variants {
		variants[i] = i
	}
	return variants
}

// storeCalls is how many requests one activity sends to the store at once.
const storeCalls = 8

// each calls do for every index below n, some side by side, and returns the first error.
func each(ctx context.Context, n, width int, do func(ctx context.Context, i int) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(width)
	for i := range n {
		group.Go(func() error { return do(ctx, i) })
	}
	return group.Wait()
}

// has tells whether the store holds key.
func (s *stages) has(ctx context.Context, key artifact.Key) (bool, error) {
	_, err := s.cfg.Store.Stat(ctx, key)
	if isGone(err) {
		return false, nil
	}
	return err == nil, err
}

// split looks for what is to be made of every task: the items that have it,
// and the tasks that do not.
func (s *stages) split(ctx context.Context, tasks []task, key func(task) artifact.Key) (have []workflows.Item, todo []task, err error) {
	there := make([]bool, len(tasks))
	err = each(ctx, len(tasks), storeCalls, func(ctx context.Context, i int) (err error) {
		there[i], err = s.has(ctx, key(tasks[i]))
		return err
	})
	for i, t := range tasks {
		if there[i] {
			have = append(have, t.Item)
		} else {
			todo = append(todo, t)
		}
	}
	return have, todo, err
}
