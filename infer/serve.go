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
	// Next waits for at least one request of some stages and returns up to limit. The error is ctx's.
	Next(ctx context.Context, limit int, stages ...job.Stage) ([]*bus.Lease, error)
}

// Answers ends questions, each with an outcome of its own, in their order.
type Answers interface {
	Answer(ctx context.Context, questions []*Question) []Outcome
	// Rows is what a question's prompt adds to a batch, prefixes that others share
	// left out; 0 where that is not known. Questions are counted side by side.
	Rows(q *Question) int
}

// Server makes the objects that requests ask for. While graphs run, what they
// run next is fetched and what they made is stored, so that the device does not
// wait. Batch questions and two clips are fetched ahead of what runs, and two
// works are being stored, or as many as run: that waits for others more than for
// cores. Log tells now and then, and at the end, how busy the device was.
//
// A batch is what came, of any job, while the last one ran and within Wait of its
// first question, up to Batch questions of Rows rows. Clips run while no batch
// wants to, one after the other. With Apart, for a language model elsewhere, which
// makes batches of its own, every question runs alone, so that none waits for
// another, and clips run beside them.
type Server struct {
	Store    artifact.Store
	Queue    Queue
	Encoder  *Encoder
	Provider string // that the encoder runs on: tokens are kept by it
	Answerer Answers
	Batch    int           // questions of a batch, and of those that are fetched ahead
	Rows     int           // of prompts in a batch, unless one alone has more; 0: no bound
	Wait     time.Duration // how long a question waits for company while the device has nothing to do
	Apart    int           // questions that run side by side, each alone; 0: in batches
	Limit    time.Duration // of one run
	Overdue  func()        // called when a run overstays Limit; it must end the process: nothing else frees a hung device's requests
	Log      *slog.Logger
	Watch    Watcher // is told what happens; default nobody

	meter meter
}

// work is what runs at a time: one clip, or questions.
type work struct {
	leases    []*bus.Lease // one for the clip, or one a question
	waiting   time.Time    // since when the longest of all that were taken with them waits
	clip      *tensor.File
	questions []*Question
	rows      int // of the prompts, or frames
}

func (w work) stage() job.Stage {
	if w.clip != nil {
		return job.StageEncode
	}
	return job.StageAnswer
}

// made is how work ended, by lease.
type made struct {
	leases   []*bus.Lease
	objects  []object
	failures []*job.Failure
}

// Serve serves until ctx ends. What runs then is finished, what waits is given back.
func (s *Server) Serve(ctx context.Context) {
	batches, clips, taken := make(chan work), make(chan work), make(chan struct{})
	ended, over := make(chan made), make(chan struct{})
	s.meter.since = time.Now()
	if s.Watch == nil {
		s.Watch = unwatched{}
	}
	var others sync.WaitGroup
	others.Go(func() { s.meter.tell(s.Log, over) })
	others.Go(func() {
		defer close(taken)
		s.take(ctx, batches, clips)
	})
	for range max(2, s.Apart) {
		others.Go(func() {
			for m := range ended {
				s.deliver(context.WithoutCancel(ctx), m)
			}
		})
	}
	s.runAll(context.WithoutCancel(ctx), batches, clips, taken, ended)
	close(ended)
	close(over)
	others.Wait()
}

// runAll runs what is taken until there is no more: one work at a time, or with
// Apart one clip at a time and so many questions beside it.
func (s *Server) runAll(ctx context.Context, batches, clips <-chan work, taken <-chan struct{}, ended chan<- made) {
	var runners sync.WaitGroup
	runner := func(batches, clips <-chan work) {
		runners.Go(func() {
			for w := range works(batches, clips, taken) {
				ended <- s.run(ctx, w)
			}
		})
	}
	if s.Apart == 0 {
		runner(batches, clips)
	} else {
		runner(nil, clips)
	}
	for range s.Apart {
		runner(batches, nil)
	}
	runners.Wait()
}

// Load is how the device spent its time so far.
func (s *Server) Load() Load { return s.meter.read() }

// run runs the graphs. The watchdog sees to it that it ends.
func (s *Server) run(ctx context.Context, w work) made {
	watchdog := time.AfterFunc(s.Limit, s.Overdue)
	defer watchdog.Stop()
	began := time.Now()
	before := s.meter.begin(began, w.waiting)
	defer func() {
		w.charge(s.meter.end(time.Now(), before))
		s.Watch.Ran(w.stage(), len(w.leases), w.rows, time.Since(began))
	}()
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
			s.Watch.Said(outcome.Reply.Tokens.Prompt, outcome.Reply.Tokens.Completion)
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
	s.Watch.Finished(l.Request.Stage(), failure)
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
