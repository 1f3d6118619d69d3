package workers

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strings"

	"github.com/winnow-video/winnow/infer/tensor"
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
	records := make([]job.Record, len(w.items))
	err = each(ctx, len(w.items), storeCalls, func(ctx context.Context, i int) (err error) {
		records[i], err = s.recordOf(ctx, w, book, w.items[i])
		return err
	})
	if err != nil {
		return workflows.Tally{}, err
	}
	text, err := writeLines(records)
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
	result, err := s.resultOf(ctx, w, t)
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
func (s *stages) resultOf(ctx context.Context, w *work, t task) (*job.Result, error) {
	if t.answer == "" {
		return nil, artifact.ErrNotFound
	}
	reply, err := s.reply(ctx, t.answer)
	if err != nil {
		return nil, err
	}
	body, err := s.cfg.Store.Get(ctx, t.kept)
	if err != nil {
		return nil, err
	}
	kept, err := tensor.Decode(body)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", t.kept, err)
	}
	frames, err := framesOf(kept)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", t.kept, err)
	}
	return &job.Result{
		Answer: reply.Answer, OptionLogprobs: reply.OptionLogprobs, Confidence: reply.Confidence,
		Correct: graded(t.item, reply.Answer), Frames: frames, KeptRef: string(t.kept),
		Tokens: reply.Tokens, FLOPs: reply.FLOPs, Prune: w.spec.Prune[t.Variant],
		Degraded: append(degraded(kept), reply.Degraded...),
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

// degraded lists what the decoder had to leave out.
func degraded(kept *tensor.File) []string {
	return strings.FieldsFunc(kept.Metadata["degraded"], func(r rune) bool { return r == ',' })
}

// framesOf counts a kept artifact's tokens by frame.
func framesOf(kept *tensor.File) ([]job.Frame, error) {
	index, err := tensor.Get[int64](kept, "index")
	if err != nil {
		return nil, err
	}
	pts, err := tensor.Get[float64](kept, "pts_s")
	if err != nil {
		return nil, err
	}
	var perFrame int
	if _, err := fmt.Sscan(kept.Metadata["P"], &perFrame); err != nil {
		return nil, fmt.Errorf("metadata P: %w", err)
	}
	if len(index.Data) != len(pts.Data) {
		return nil, fmt.Errorf("%d frame indices, %d times", len(index.Data), len(pts.Data))
	}
	frames := make([]job.Frame, len(pts.Data))
	for i := range frames {
		frames[i] = job.Frame{Index: int(index.Data[i]), PTS: pts.Data[i], Total: perFrame}
	}
	return frames, countKept(frames, kept)
}

func countKept(frames []job.Frame, kept *tensor.File) error {
	frame, err := tensor.Get[int32](kept, "frame")
	if err != nil {
		return err
	}
	relevance, err := tensor.Get[float32](kept, "relevance")
	if err != nil {
		return err
	}
	for i, f := range frame.Data {
		if int(f) >= len(frames) || f < 0 || i >= len(relevance.Data) {
			return fmt.Errorf("token %d of frame %d, but the clip has %d", i, f, len(frames))
		}
		at := &frames[f]
		rel := float64(relevance.Data[i])
		if at.Kept++; at.Kept == 1 {
			at.Relevance = rel
		}
		at.Relevance = math.Max(at.Relevance, rel)
	}
	return nil
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
