package workers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/winnow-video/winnow/infer/bundle"
	"github.com/winnow-video/winnow/infer/tensor"
	"github.com/winnow-video/winnow/prune"
	"github.com/winnow-video/winnow/workflows"
	"github.com/winnow-video/winnow/workflows/artifact"
	"github.com/winnow-video/winnow/workflows/job"
)

// prune selects a video's tokens for every question and variant at once.
func (s *stages) prune(ctx context.Context, in workflows.StageInput) (workflows.Items, error) {
	began := time.Now()
	w, err := s.workOf(ctx, in)
	if err != nil {
		return workflows.Items{}, err
	}
	var out workflows.Items
	all := len(w.items)
	w.items = w.askable(w.items, w.wordy, &out)
	todo, err := s.unpruned(ctx, w, &out)
	if err != nil {
		return workflows.Items{}, err
	}
	if len(todo) > 0 {
		if err := s.pruneAll(ctx, w, todo, &out); err != nil {
			return workflows.Items{}, err
		}
	}
	s.tellItems(in.VideoInput, job.StagePrune, all, out)
	out.Cached = nil // that an answer is cached is what records tell
	out.Spent = spent(ctx, began)
	return out, nil
}

// unpruned is the tasks whose kept tokens do not exist, by their key: several
// questions share one where the policy does not look at them.
func (s *stages) unpruned(ctx context.Context, w *work, out *workflows.Items) (map[artifact.Key][]task, error) {
	have, todo, err := s.split(ctx, w.items, func(t task) artifact.Key { return t.kept })
	if err != nil {
		return nil, err
	}
	out.Cached = have
	byKey := map[artifact.Key][]task{}
	for _, t := range todo {
		byKey[t.kept] = append(byKey[t.kept], t)
	}
	return byKey, nil
}

func (s *stages) pruneAll(ctx context.Context, w *work, todo map[artifact.Key][]task, out *workflows.Items) error {
	c, err := s.openClip(ctx, w, len(todo))
	if err != nil {
		return err
	}
	defer s.clips.Put(c.ready)
	for key, tasks := range todo {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if tasks = w.askable(tasks, w.of(c.pts, duration(c.file)), out); len(tasks) == 0 {
			continue
		}
		kept, err := selectFor(w, c, tasks[0])
		if err != nil {
			out.Failed = append(out.Failed, failuresOf(tasks, job.StagePrune, err)...)
			continue
		}
		if _, err := s.cfg.Store.Put(ctx, key, kept, artifact.FirstWins); err != nil {
			return err
		}
	}
	return nil
}

// askable is the tasks whose prompts may fit the model's context, as judge knows it.
func (w *work) askable(tasks []task, judge func(task) error, out *workflows.Items) (left []task) {
	for _, t := range tasks {
		if err := judge(t); err != nil {
			out.Failed = append(out.Failed, failuresOf([]task{t}, job.StageAnswer, err)...)
			continue
		}
		left = append(left, t)
	}
	return left
}

// failuresOf is the same failure for every one of tasks.
func failuresOf(tasks []task, stage job.Stage, err error) []workflows.ItemFailure {
	failures := make([]workflows.ItemFailure, len(tasks))
	for i, t := range tasks {
		failures[i] = workflows.ItemFailure{Item: t.Item, Failure: brief(job.AsFailure(stage, err))}
	}
	return failures
}

// clip is an encoded video, read once for all its questions.
type clip struct {
	file   *tensor.File
	frames artifact.Key                 // of the pictures that the tokens are of
	grid   prune.Grid                   // on which they lie
	tokens tensor.Dense[tensor.Float16] // [T,P,D]
	tower  tensor.Dense[tensor.Float16] // [T,P′,D], what tokens were pooled of; see pool
	pool   *bundle.PoolAfter            // nil unless the model pools behind its projector
	pts    []float64                    // [T], seconds
	ready  *prune.Clip
}

// openClip reads a video's tokens for so many selections.
func (s *stages) openClip(ctx context.Context, w *work, selections int) (*clip, error) {
	key := w.in.Tokens
	body, err := s.cfg.Store.Get(ctx, key)
	if isGone(err) {
		return nil, &missing{key}
	}
	if err != nil {
		return nil, err
	}
	c, err := readClip(body)
	if err == nil {
		err = c.poolBy(w.bundle.PoolAfter)
	}
	if err != nil {
		return nil, job.Fail(job.StagePrune, job.ModelContract, "%s: %v", key, err)
	}
	c.frames, c.grid = w.in.Clip, gridOf(&w.bundle.Manifest)
	ready, ok := s.clips.Get().(*prune.Clip)
	if !ok {
		ready = &prune.Clip{}
	}
	fill := prune.Refill[tensor.Float16]
	if selections == 1 {
		fill = prune.Open[tensor.Float16]
	}
	if err := fill(ready, c.tokens); err != nil {
		return nil, notFinite(err)
	}
	c.ready = ready
	return c, nil
}

// notFinite is the failure of tokens that are no numbers; any other error is itself.
func notFinite(err error) error {
	if errors.Is(err, prune.ErrNotFinite) {
		return job.Fail(job.StagePrune, job.ModelNotFinite, "%v", err)
	}
	return err
}

func readClip(body []byte) (*clip, error) {
	file, err := tensor.Decode(body)
	if err != nil {
		return nil, err
	}
	c := &clip{file: file}
	if c.tokens, err = tensor.Get[tensor.Float16](file, "tokens"); err != nil {
		return nil, err
	}
	pts, err := tensor.Get[float64](file, "pts_s")
	if err != nil {
		return nil, err
	}
	if len(c.tokens.Shape) != 3 || len(pts.Data) != c.tokens.Shape[0] {
		return nil, fmt.Errorf("tokens %v with %d times, want [T,P,D] with T times", []int(c.tokens.Shape), len(pts.Data))
	}
	c.pts = pts.Data
	return c, nil
}

// selectFor prunes the clip for one item: the content of its kept artifact.
func selectFor(w *work, c *clip, t task) (io.ReadSeeker, error) {
	query, err := queryVector(w, c, t)
	if err != nil {
		return nil, err
	}
	policy := w.policies[t.Variant]
	selection, err := policy.Select(c.ready, query)
	if err != nil {
		return nil, notFinite(err)
	}
	if planned := policy.Keeps(selection.T, selection.P); len(selection.Kept) != planned {
		return nil, job.Fail(job.StagePrune, job.ModelContract, "%d tokens were kept, %d planned", len(selection.Kept), planned)
	}
	kept, err := keptFile(c, selection, w.spec.Prune[t.Variant])
	if err != nil {
		return nil, err
	}
	return tensor.Body(kept)
}

// queryVector is the vector [E] that an item is pruned by; nil where the policy takes none.
func queryVector(w *work, c *clip, t task) ([]float32, error) {
	if !w.policies[t.Variant].QueryDependent() {
		return nil, nil
	}
	ids, err := w.bundle.QueryIDs(w.spec.Prune[t.Variant].Query, bundle.Question{
		Text: queryText(t.item), Options: t.item.Options, Times: c.pts, Duration: duration(c.file),
	})
	if err != nil {
		return nil, err
	}
	wide := make([]int, len(ids))
	for i, id := range ids {
		wide[i] = int(id)
	}
	return prune.QueryQuestion(embeddings{w.bundle}, wide) // the ids are already those that the kind of query names
}

// duration of the video, seconds, as the decoder noted it.
func duration(f *tensor.File) float64 {
	seconds, err := strconv.ParseFloat(f.Metadata["duration_s"], 64)
	if err != nil {
		return 0 // the container does not tell
	}
	return seconds
}

// embeddings is a bundle's token embeddings as prune reads them.
type embeddings struct{ *bundle.Bundle }

func (e embeddings) Width() int { return e.Dims.Language.Hidden }

func (e embeddings) Row(id int) ([]float32, error) {
	rows, err := e.Embed([]int32{int32(id)})
	return rows.Data, err
}
