package infer

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/winnow-video/winnow/infer/tensor"
	"github.com/winnow-video/winnow/workflows/artifact"
	"github.com/winnow-video/winnow/workflows/bus"
	"github.com/winnow-video/winnow/workflows/job"
)

// Queue hands out requests; *bus.Puller is one.
type Queue interface {
	// Next waits for at least one request and returns up to limit.
	Next(ctx context.Context, limit int) ([]*bus.Lease, error)
}

// Server makes the objects that requests ask for.
type Server struct {
	Store    artifact.Store
	Queue    Queue
	Encoder  *Encoder
	Answerer *Answerer
	Batch    int           // requests taken at a time; default 16
	Limit    time.Duration // of one batch; past it Overdue is called. Default 10 min
	Overdue  func()        // must end the process: a hung device frees its requests no other way
	Log      *slog.Logger
}

// Serve pulls and serves until ctx ends. What it holds then it finishes.
func (s *Server) Serve(ctx context.Context) error {
	for {
		leases, err := s.Queue.Next(ctx, s.Batch)
		if ctx.Err() != nil {
			return errors.Join(release(context.WithoutCancel(ctx), leases))
		}
		if err != nil {
			return err
		}
		watchdog := time.AfterFunc(s.Limit, s.Overdue)
		s.serve(context.WithoutCancel(ctx), leases)
		watchdog.Stop()
	}
}

func release(ctx context.Context, leases []*bus.Lease) error {
	var errs []error
	for _, l := range leases {
		errs = append(errs, l.Release(ctx))
	}
	return errors.Join(errs...)
}

// serve ends every lease: answers of all videos in one go, then clips one by one, so
// that never more than one is in memory.
func (s *Server) serve(ctx context.Context, leases []*bus.Lease) {
	var answers, encodes []*bus.Lease
	for _, l := range leases {
		switch {
		case s.exists(ctx, l.Request.Out):
			s.finish(ctx, l, nil)
		case l.Request.Answer != nil:
			answers = append(answers, l)
		default:
			encodes = append(encodes, l)
		}
	}
	s.answer(ctx, answers)
	for _, l := range encodes {
		s.finish(ctx, l, s.encode(ctx, l.Request))
	}
}

// exists says whether somebody made the object already; if in doubt, it is made again.
func (s *Server) exists(ctx context.Context, key artifact.Key) bool {
	_, err := s.Store.Stat(ctx, key)
	return err == nil
}

// finish tells the end of a request. If that fails, the request comes back and the object is found.
func (s *Server) finish(ctx context.Context, l *bus.Lease, failure *job.Failure) {
	log := s.Log.With("stage", l.Request.Stage(), "out", l.Request.Out)
	if failure != nil {
		log.Warn("request failed", "code", failure.Code, "detail", failure.Detail)
	}
	if err := l.Finish(ctx, failure); err != nil {
		log.Error("request is done, but its end was not told", "err", err)
	}
}

func (s *Server) encode(ctx context.Context, r bus.Request) *job.Failure {
	clip, failure := s.read(ctx, job.StageEncode, r.Encode.Clip)
	if failure != nil {
		return failure
	}
	tokens, err := s.Encoder.Encode(clip)
	if err != nil {
		return job.AsFailure(job.StageEncode, err)
	}
	body, err := tensor.Body(tokens)
	if err != nil {
		return job.AsFailure(job.StageEncode, err)
	}
	return s.write(ctx, job.StageEncode, r.Out, body)
}

// answer fetches what the questions need, side by side, and answers them together.
func (s *Server) answer(ctx context.Context, leases []*bus.Lease) {
	if len(leases) == 0 {
		return
	}
	questions := make([]*Question, len(leases))
	failures := make([]*job.Failure, len(leases))
	var group sync.WaitGroup
	for i, l := range leases {
		group.Go(func() { questions[i], failures[i] = s.question(ctx, l.Request.Answer) })
	}
	group.Wait()
	var ready []*Question
	var of []int
	for i, q := range questions {
		if failures[i] == nil {
			ready, of = append(ready, q), append(of, i)
		}
	}
	for k, outcome := range s.Answerer.Answer(ready) {
		failures[of[k]] = s.keep(ctx, leases[of[k]].Request.Out, outcome)
	}
	for i, l := range leases {
		s.finish(ctx, l, failures[i])
	}
}

// keep stores a reply.
func (s *Server) keep(ctx context.Context, out artifact.Key, o Outcome) *job.Failure {
	if o.Failure != nil {
		return o.Failure
	}
	text, err := json.Marshal(o.Reply)
	if err != nil {
		return job.AsFailure(job.StageAnswer, err)
	}
	return s.write(ctx, job.StageAnswer, out, bytes.NewReader(text))
}

// question reads one request's item and kept tokens.
func (s *Server) question(ctx context.Context, r *bus.AnswerRequest) (*Question, *job.Failure) {
	item, err := s.item(ctx, r.Page, r.Line)
	if err != nil {
		return nil, stored(job.StageAnswer, r.Page, err)
	}
	kept, failure := s.read(ctx, job.StageAnswer, r.Kept)
	if failure != nil {
		return nil, failure
	}
	q, err := NewQuestion(item, r.Generate, r.Fit, kept)
	if err != nil {
		return nil, job.AsFailure(job.StageAnswer, err)
	}
	return q, nil
}

// item reads line n, from 0, of a page.
func (s *Server) item(ctx context.Context, page artifact.Key, n int) (job.Item, error) {
	text, err := s.Store.Get(ctx, page)
	if err != nil {
		return job.Item{}, err
	}
	for range n {
		_, after, found := bytes.Cut(text, []byte("\n"))
		if !found {
			return job.Item{}, fmt.Errorf("no line %d", n)
		}
		text = after
	}
	line, _, _ := bytes.Cut(text, []byte("\n"))
	var item job.Item
	return item, json.Unmarshal(line, &item)
}

func (s *Server) read(ctx context.Context, stage job.Stage, key artifact.Key) (*tensor.File, *job.Failure) {
	body, err := s.Store.Get(ctx, key)
	if err != nil {
		return nil, stored(stage, key, err)
	}
	file, err := tensor.Decode(body)
	if err != nil {
		return nil, contract(stage, "%s: %v", key, err)
	}
	return file, nil
}

func (s *Server) write(ctx context.Context, stage job.Stage, key artifact.Key, body io.ReadSeeker) *job.Failure {
	if _, err := s.Store.Put(ctx, key, body, artifact.FirstWins); err != nil {
		return stored(stage, key, err)
	}
	return nil
}

// stored is the failure of an object that could not be read or written.
func stored(stage job.Stage, key artifact.Key, err error) *job.Failure {
	return job.AsFailure(stage, fmt.Errorf("%s: %w", key, err))
}
