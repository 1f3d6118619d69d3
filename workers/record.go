package workers

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/winnow-video/winnow/workers/source"
	"github.com/winnow-video/winnow/workflows"
	"github.com/winnow-video/winnow/workflows/artifact"
	"github.com/winnow-video/winnow/workflows/job"
)

// record writes what became of a video's items, in the order of its questions.
func (s *stages) record(ctx context.Context, in workflows.RecordInput) (workflows.Tally, error) {
	w, err := s.workToRecord(ctx, in)
	if err != nil {
		return workflows.Tally{}, err
	}
	book := newBook(in, s.cfg.Name)
	book.kept = s.keptReaders(ctx, w.items)
	records := make([]job.Record, len(w.items))
	err = each(ctx, len(w.items), storeCalls, func(ctx context.Context, i int) (err error) {
		records[i], err = s.recordOf(ctx, w, book, w.items[i])
		return err
	})
	if err != nil {
		return workflows.Tally{}, err
	}
	text, err := job.WriteLines(records)
	if err != nil {
		return workflows.Tally{}, err
	}
	key := artifact.VideoRecords(in.Job, in.Generation, in.Page, in.Video)
	if _, err := s.cfg.Store.Put(ctx, key, bytes.NewReader(text), artifact.Replace); err != nil {
		return workflows.Tally{}, err
	}
	tally := tallyOf(records)
	s.tellStage(in.VideoInput, job.StageRecord, tally.Ended(), tally.Failed, 0)
	return tally, nil
}

// workToRecord does without the bundle where nothing was answered: failures
// are recorded even if the bundle is what failed.
func (s *stages) workToRecord(ctx context.Context, in workflows.RecordInput) (*work, error) {
	if in.Tokens != "" {
		return s.workOf(ctx, in.StageInput)
	}
	w := &work{in: in.StageInput}
	var err error
	if w.spec, err = s.files.spec(ctx, in.Job); err != nil {
		return nil, err
	}
	lines, err := s.files.page(ctx, in.PageKey())
	if err != nil {
		return nil, err
	}
	return w, w.fill(lines)
}

// book is what a Video knows about its items.
type book struct {
	failure  *job.Failure
	failures map[workflows.Item]job.Failure
	cached   map[workflows.Item]bool
	kept     map[artifact.Key]func() (kept, error)
	run      job.Run
}

func newBook(in workflows.RecordInput, worker string) book {
	b := book{failure: in.Failure, failures: map[workflows.Item]job.Failure{}, cached: map[workflows.Item]bool{}, run: in.Outcome}
	b.run.Worker = worker
	for _, f := range in.Failed {
		b.failures[f.Item] = f.Failure
	}
	for _, item := range in.Cached {
		b.cached[item] = true
	}
	return b
}

// end is how an item without an answer ended.
func (b book) end(item workflows.Item) job.Failure {
	if f, ok := b.failures[item]; ok {
		return f
	}
	if b.failure != nil {
		return *b.failure
	}
	return *job.Fail(job.StageRecord, job.InternalLost, "its answer is gone from the store: retry it")
}

func (s *stages) recordOf(ctx context.Context, w *work, b book, t task) (job.Record, error) {
	r := identity(w.in.Job, t.item, w.spec.Prune[t.Variant].Variant())
	r.Run = b.run
	r.Run.Cache.Answer = b.cached[t.Item]
	result, err := s.resultOf(ctx, w, b, t)
	if err == nil {
		r.Status, r.Result = job.StatusOK, result
		return r, nil
	}
	if isGone(err) {
		return failedRecord(r, b.end(t.Item)), nil
	}
	f := job.AsFailure(job.StageRecord, err)
	if ctx.Err() != nil || f.Kind == job.KindCapacity {
		return r, err // the store is away: the draft can wait
	}
	return failedRecord(r, brief(f)), nil
}

// identity is the part of a record that its item decides.
func identity(jobID string, item job.Item, variant string) job.Record {
	return job.Record{
		V: job.Version, ID: item.ID, Variant: variant, Job: jobID,
		Video: source.Redacted(item.Video), Metadata: item.Metadata,
	}
}

func failedRecord(r job.Record, f job.Failure) job.Record {
	r.Status, r.Failure = job.StatusFailed, &f
	return r
}

// resultOf makes the result of an item's reply and kept tokens; artifact.ErrNotFound without them.
func (s *stages) resultOf(ctx context.Context, w *work, b book, t task) (*job.Result, error) {
	if t.answer == "" {
		return nil, artifact.ErrNotFound
	}
	reply, err := s.reply(ctx, t.answer)
	if err != nil {
		return nil, err
	}
	kept, err := b.kept[t.kept]()
	if err != nil {
		return nil, err
	}
	frames, err := framesRead(kept.frames, reply.Trimmed)
	if err != nil {
		return nil, err
	}
	return &job.Result{
		Answer: reply.Answer, OptionLogprobs: reply.OptionLogprobs, Confidence: reply.Confidence,
		Correct: graded(t.item, reply.Answer), Frames: frames, KeptRef: string(t.kept),
		Tokens: reply.Tokens, FLOPs: reply.FLOPs, Prune: w.spec.Prune[t.Variant],
		Degraded: slices.Concat(kept.degraded, reply.Degraded),
		Model:    job.Model{Bundle: w.bundle.Name, Digest: w.bundle.Digest(), Engine: reply.Engine},
	}, nil
}

func (s *stages) reply(ctx context.Context, key artifact.Key) (job.Reply, error) {
	var r job.Reply
	body, err := s.cfg.Store.Get(ctx, key)
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(body, &r); err != nil {
		return r, fmt.Errorf("%s: %w", key, err)
	}
	if r.V != job.Version {
		return r, job.Fail(job.StageRecord, job.InternalVersion, "%s has version %d, this worker reads %d", key, r.V, job.Version)
	}
	return r, nil
}

func graded(item job.Item, a job.Answer) *bool {
	if item.Gold == nil {
		return nil
	}
	correct := item.Gold.Matches(a)
	return &correct
}

// tallyOf counts records by their end.
func tallyOf(records []job.Record) workflows.Tally {
	var t workflows.Tally
	for _, r := range records {
		t.Count(codeOf(r))
	}
	return t
}

func codeOf(r job.Record) job.Code {
	if r.Failure == nil {
		return ""
	}
	return r.Failure.Code
}
