package infer

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/winnow-video/winnow/infer/tensor"
	"github.com/winnow-video/winnow/workflows/artifact"
	"github.com/winnow-video/winnow/workflows/bus"
	"github.com/winnow-video/winnow/workflows/job"
)

// storeLimit bounds one call of the store. The store tries again by itself; past
// this, the request ends as capacity/unavailable and is asked for again.
const storeLimit = 2 * time.Minute

// object is an artifact's content.
type object io.ReadSeeker

// unmade ends the requests whose objects exist already, and returns the others.
// In doubt an object is made again: the first one stays.
func (s *Server) unmade(ctx context.Context, leases []*bus.Lease) []*bus.Lease {
	exists := make([]bool, len(leases))
	var group sync.WaitGroup
	for i, l := range leases {
		group.Go(func() {
			_, err := s.Store.Stat(ctx, l.Request.Out)
			if exists[i] = err == nil; exists[i] {
				s.finish(context.WithoutCancel(ctx), l, nil)
			}
		})
	}
	group.Wait()
	var left []*bus.Lease
	for i, l := range leases {
		if !exists[i] {
			left = append(left, l)
		}
	}
	return left
}

// clip reads a request's clip. Tokens of another provider than their key names
// are not made: the next one to ask for them would not know.
func (s *Server) clip(ctx context.Context, r *bus.EncodeRequest) (*tensor.File, *job.Failure) {
	if r.Provider != "" && r.Provider != s.Provider {
		return nil, job.Fail(job.StageEncode, job.CapacityNoWorker,
			"tokens are asked for of %s, and this winnow-infer encodes on %s: give winnow-infer and `winnow worker` (or `winnow up`) the same --device", r.Provider, s.Provider)
	}
	return s.read(ctx, job.StageEncode, r.Clip)
}

// prepared says whether a request can run. One that cannot is ended, or given
// back if that is only because ctx ended.
func (s *Server) prepared(ctx context.Context, l *bus.Lease, failure *job.Failure) bool {
	switch {
	case ctx.Err() != nil:
		s.release(ctx, []*bus.Lease{l})
	case failure != nil:
		s.finish(ctx, l, failure)
	default:
		return true
	}
	return false
}

// questions fetches the questions that requests ask, side by side.
func (s *Server) questions(ctx context.Context, leases []*bus.Lease) []asking {
	pages, files, shared := s.pages(ctx, leases), s.files(ctx, leases), projections(leases)
	all := make([]asking, len(leases))
	failures := make([]*job.Failure, len(leases))
	var group sync.WaitGroup
	for i, l := range leases {
		r := l.Request.Answer
		all[i].lease = l
		group.Go(func() {
			if all[i].question, failures[i] = question(r, pages[r.Page], files); failures[i] == nil {
				all[i].question.projection = shared[r.Kept]
				all[i].rows = s.Answerer.Rows(all[i].question)
			}
		})
	}
	group.Wait()
	var good []asking
	for i, a := range all {
		if s.prepared(ctx, a.lease, failures[i]) {
			a.since = time.Now()
			good = append(good, a)
		}
	}
	return good
}

// projections has one for each kept artifact that requests name.
func projections(leases []*bus.Lease) map[artifact.Key]*projection {
	all := map[artifact.Key]*projection{}
	for _, l := range leases {
		all[l.Request.Answer.Kept] = &projection{}
	}
	return all
}

// page is a page of the manifest, or why it could not be read.
type page struct {
	text    []byte
	failure *job.Failure
}

// pages fetches the pages that requests name, each once.
func (s *Server) pages(ctx context.Context, leases []*bus.Lease) map[artifact.Key]page {
	pages := map[artifact.Key]page{}
	for _, l := range leases {
		key := l.Request.Answer.Page
		if _, has := pages[key]; !has {
			text, failure := s.get(ctx, job.StageAnswer, key)
			pages[key] = page{text, failure}
		}
	}
	return pages
}

// reader reads a tensor file, once.
type reader func() (*tensor.File, *job.Failure)

// files are the kept artifacts that requests name, and the clips: several
// questions share one where the policy does not look at them.
func (s *Server) files(ctx context.Context, leases []*bus.Lease) map[artifact.Key]reader {
	files := map[artifact.Key]reader{}
	for _, l := range leases {
		for _, key := range []artifact.Key{l.Request.Answer.Kept, l.Request.Answer.Clip} {
			if files[key] == nil {
				files[key] = sync.OnceValues(func() (*tensor.File, *job.Failure) { return s.read(ctx, job.StageAnswer, key) })
			}
		}
	}
	return files
}

// question reads one request's item and kept tokens, and the clip where the
// request names one.
func question(r *bus.AnswerRequest, p page, files map[artifact.Key]reader) (*Question, *job.Failure) {
	if p.failure != nil {
		return nil, p.failure
	}
	item, err := itemAt(p.text, r.Line)
	if err != nil {
		return nil, job.Fail(job.StageAnswer, job.InternalError, "%s: %v", r.Page, err)
	}
	kept, failure := files[r.Kept]()
	if failure != nil {
		return nil, failure
	}
	q, err := NewQuestion(item, r.Generate, r.Fit, kept)
	if err != nil {
		return nil, job.AsFailure(job.StageAnswer, err)
	}
	if r.Clip == "" {
		return q, nil
	}
	clip, failure := files[r.Clip]()
	if failure != nil {
		return nil, failure
	}
	if err := q.See(clip); err != nil {
		return nil, job.AsFailure(job.StageAnswer, err)
	}
	return q, nil
}

// itemAt reads line n, from 0, of a page.
func itemAt(page []byte, n int) (job.Item, error) {
	var item job.Item
	lines := slices.Collect(bytes.Lines(page))
	if n < 0 || n >= len(lines) {
		return item, fmt.Errorf("line %d is asked for, but there are %d", n, len(lines))
	}
	if err := json.Unmarshal(lines[n], &item); err != nil {
		return item, fmt.Errorf("line %d: %w", n, err)
	}
	return item, nil
}

// read fetches a tensor file.
func (s *Server) read(ctx context.Context, stage job.Stage, key artifact.Key) (*tensor.File, *job.Failure) {
	body, failure := s.get(ctx, stage, key)
	if failure != nil {
		return nil, failure
	}
	file, err := tensor.Decode(body)
	if err != nil {
		return nil, contract(stage, "%s: %v", key, err)
	}
	return file, nil
}

func (s *Server) get(ctx context.Context, stage job.Stage, key artifact.Key) ([]byte, *job.Failure) {
	ctx, cancel := context.WithTimeout(ctx, storeLimit)
	defer cancel()
	body, err := s.Store.Get(ctx, key)
	if err != nil {
		return nil, stored(stage, err)
	}
	return body, nil
}

// write stores what a request asked for, unless somebody was faster.
func (s *Server) write(ctx context.Context, r bus.Request, o object) *job.Failure {
	ctx, cancel := context.WithTimeout(ctx, storeLimit)
	defer cancel()
	if _, err := s.Store.Put(ctx, r.Out, o, artifact.FirstWins); err != nil {
		return stored(r.Stage(), err)
	}
	return nil
}

// stored is the failure of an object that could not be read or written. One
// that is not there is the waiter's to make: it looks for itself.
func stored(stage job.Stage, err error) *job.Failure {
	if errors.Is(err, artifact.ErrUnavailable) || errors.Is(err, context.DeadlineExceeded) {
		return job.Fail(stage, job.CapacityUnavailable, "%v", err)
	}
	return job.AsFailure(stage, err)
}

// replyObject is a reply as it is stored.
func replyObject(r job.Reply) (object, *job.Failure) {
	text, err := json.Marshal(r)
	if err != nil {
		return nil, job.AsFailure(job.StageAnswer, err)
	}
	return bytes.NewReader(text), nil
}
