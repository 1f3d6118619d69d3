package infer

import (
	"context"
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
	// Next waits for at least one request and returns up to limit. The error is ctx's.
	Next(ctx context.Context, limit int) ([]*bus.Lease, error)
}

// Answers ends questions, each with an outcome of its own, in their order.
type Answers interface {
	Answer(ctx context.Context, questions []*Question) []Outcome
}

// Server makes the objects that requests ask for. While graphs run, what they
// run next is fetched and what they made is stored, so that the device does not
// wait. Of clips and batches of questions, at most two are fetched ahead of what
// runs, and two are being stored: that waits for others more than for cores.
// Log tells now and then, and at the end, how busy the device was.
//
// A batch is what came while the last one ran. Nothing waits for company. With
// Abreast batches, each runs in hands of its own, but clips one after the other.
type Server struct {
	Store    artifact.Store
	Queue    Queue
	Encoder  *Encoder
	Provider string // that the encoder runs on: tokens are kept by it
	Answerer Answers
	Batch    int           // requests taken at a time
	Abreast  int           // batches of questions run side by side; default 1. More is for a language model elsewhere
	Limit    time.Duration // of one run
	Overdue  func()        // called when a run overstays Limit; it must end the process: nothing else frees a hung device's requests
	Log      *slog.Logger

	tower sync.Mutex // held while a clip is encoded
	meter meter
}

// work is what runs at a time: one clip, or questions.
type work struct {
	leases    []*bus.Lease // one for the clip, or one a question
	waiting   time.Time    // since when the longest of all that were taken with them waits
	clip      *tensor.File
	questions []*Question
}

// made is how work ended, by lease.
type made struct {
	leases   []*bus.Lease
	objects  []object
	failures []*job.Failure
}

// Serve serves until ctx ends. What runs then is finished, what waits is given back.
func (s *Server) Serve(ctx context.Context) {
	ready, ended, over := make(chan work), make(chan made), make(chan struct{})
	s.meter.since = time.Now()
	var others sync.WaitGroup
	others.Go(func() { s.meter.tell(s.Log, over) })
	others.Go(func() {
		defer close(ready)
		s.take(ctx, ready)
	})
	for range 2 {
		others.Go(func() {
			for m := range ended {
				s.deliver(context.WithoutCancel(ctx), m)
			}
		})
	}
	var runners sync.WaitGroup
	for range max(1, s.Abreast) {
		runners.Go(func() {
			for w := range ready {
				ended <- s.run(context.WithoutCancel(ctx), w)
			}
		})
	}
	runners.Wait()
	close(ended)
	close(over)
	others.Wait()
}

// take takes requests and fetches what they need.
func (s *Server) take(ctx context.Context, ready chan<- work) {
	for {
		leases, err := s.Queue.Next(ctx, s.Batch)
		if err != nil {
			return
		}
		leases = s.unmade(ctx, leases)
		since := waiting(leases)
		for w := range s.prepare(ctx, leases) {
			w.waiting = since
			select {
			case ready <- w:
			case <-ctx.Done():
				s.release(ctx, w.leases)
			}
		}
	}
}

// run runs the graphs. The watchdog sees to it that it ends.
func (s *Server) run(ctx context.Context, w work) made {
	if w.clip != nil {
		s.tower.Lock()
		defer s.tower.Unlock()
	}
	watchdog := time.AfterFunc(s.Limit, s.Overdue)
	defer watchdog.Stop()
	began := s.meter.begin(time.Now(), w.waiting)
	defer func() { w.charge(s.meter.end(time.Now(), began)) }()
	if w.clip != nil {
		return s.encode(w)
	}
	return s.answer(ctx, w)
}

// charge shares the device's time out among requests, by the visual tokens that
// each brought: what a language model reads is mostly those.
func (w work) charge(device time.Duration) {
	all := 0.0
	for i := range w.leases {
		all += w.weight(i)
	}
	for i, l := range w.leases {
		l.Device = time.Duration(float64(device) * w.weight(i) / all)
	}
}

func (w work) weight(i int) float64 {
	if w.clip != nil {
		return 1
	}
	return 1 + float64(w.questions[i].tokens.Rows())
}

func (s *Server) encode(w work) made {
	m := made{w.leases, make([]object, 1), make([]*job.Failure, 1)}
	tokens, err := s.Encoder.Encode(w.clip)
	if err == nil {
		m.objects[0], err = tensor.Body(tokens)
	}
	if err != nil {
		m.failures[0] = job.AsFailure(job.StageEncode, err)
	}
	return m
}

func (s *Server) answer(ctx context.Context, w work) made {
	m := made{w.leases, make([]object, len(w.leases)), make([]*job.Failure, len(w.leases))}
	for i, outcome := range s.Answerer.Answer(ctx, w.questions) {
		if m.failures[i] = outcome.Failure; outcome.Failure == nil {
			m.objects[i], m.failures[i] = replyObject(outcome.Reply)
		}
	}
	return m
}

// deliver stores what was made and tells each request's end.
func (s *Server) deliver(ctx context.Context, m made) {
	var group sync.WaitGroup
	for i, l := range m.leases {
		group.Go(func() {
			failure := m.failures[i]
			if failure == nil {
				failure = s.write(ctx, l.Request, m.objects[i])
			}
			s.finish(ctx, l, failure)
		})
	}
	group.Wait()
}

// finish tells the end of a request. If that fails, the request comes back and the object is found.
func (s *Server) finish(ctx context.Context, l *bus.Lease, failure *job.Failure) {
	log := s.Log.With("stage", l.Request.Stage(), "out", l.Request.Out)
	if failure != nil {
		log.Warn("request failed", "code", failure.Code, "detail", failure.Detail)
	}
	if err := l.Finish(ctx, failure); err != nil {
		log.Error("a request ended, but that could not be told", "error", err)
	}
}

// release gives requests back.
func (s *Server) release(ctx context.Context, leases []*bus.Lease) {
	for _, l := range leases {
		if err := l.Release(context.WithoutCancel(ctx)); err != nil {
			s.Log.Warn("request not given back; it times out", "out", l.Request.Out, "error", err)
		}
	}
}
