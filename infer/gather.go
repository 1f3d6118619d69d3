package infer

import (
	"context"
	"iter"
	"sync"
	"time"

	"github.com/winnow-video/winnow/infer/tensor"
	"github.com/winnow-video/winnow/workflows/bus"
	"github.com/winnow-video/winnow/workflows/job"
)

// clipsAhead is how many clips are fetched ahead of the one that runs.
const clipsAhead = 2

// take takes requests until ctx ends, and sends what is ready to run: batches of
// questions and clips. What waits at the end is given back.
func (s *Server) take(ctx context.Context, batches, clips chan<- work) {
	fetched, room := make(chan []asking), make(chan int)
	var group sync.WaitGroup
	group.Go(func() { s.takeQuestions(ctx, room, fetched) })
	for range clipsAhead {
		group.Go(func() { s.takeClips(ctx, clips) })
	}
	s.gather(ctx, room, fetched, batches)
	group.Wait()
}

// works are what there is to run, until all is taken: questions before clips,
// since they end items. A nil channel has none.
func works(batches, clips <-chan work, taken <-chan struct{}) iter.Seq[work] {
	return func(yield func(work) bool) {
		for {
			var w work
			select {
			case w = <-batches:
			default:
				select {
				case w = <-batches:
				case w = <-clips:
				case <-taken:
					return
				}
			}
			if !yield(w) {
				return
			}
		}
	}
}

// takeClips takes clips one by one: more would wait here while another device has
// nothing to do.
func (s *Server) takeClips(ctx context.Context, clips chan<- work) {
	for {
		leases, err := s.next(ctx, 1, job.StageEncode)
		if err != nil {
			return
		}
		for _, l := range leases {
			clip, failure := s.clip(ctx, l.Request.Encode)
			// Looked at last: the network may have been away, and another have made them.
			if len(s.unmade(ctx, []*bus.Lease{l})) == 0 || !s.prepared(ctx, l, failure) {
				continue
			}
			select {
			case clips <- work{leases: []*bus.Lease{l}, waiting: l.Published, clip: clip, rows: frames(clip)}:
			case <-ctx.Done():
				s.release(ctx, []*bus.Lease{l})
			}
		}
	}
}

func (s *Server) next(ctx context.Context, limit int, stage job.Stage) ([]*bus.Lease, error) {
	leases, err := s.Queue.Next(ctx, limit, stage)
	for _, l := range leases {
		s.Watch.Taken(stage, time.Since(l.Published))
	}
	return leases, err
}

// frames is T of a clip.
func frames(clip *tensor.File) int {
	if shape := clip.Tensors["frames"].Shape; len(shape) > 0 {
		return shape[0]
	}
	return 0 // the encoder refuses it
}

// takeQuestions takes as many as there is room for, and fetches what they need.
func (s *Server) takeQuestions(ctx context.Context, room <-chan int, fetched chan<- []asking) {
	for {
		var limit int
		select {
		case limit = <-room:
		case <-ctx.Done():
			return
		}
		leases, err := s.next(ctx, limit, job.StageAnswer)
		if err != nil {
			return
		}
		all := s.questions(ctx, s.unmade(ctx, leases))
		select {
		case fetched <- all:
		case <-ctx.Done():
			s.release(ctx, leasesOf(all))
		}
	}
}

// gather has questions wait for company, and sends them as batches. A batch that
// is due goes on growing until there is somebody to run it.
func (s *Server) gather(ctx context.Context, room chan<- int, fetched <-chan []asking, batches chan<- work) {
	var waiting queue
	taking := false
	for {
		batch, patience := waiting.batch(s.together(), s.Rows, s.Wait, time.Now())
		var due chan<- work
		if len(batch) > 0 && patience <= 0 {
			due = batches
		}
		var ask chan<- int
		left := s.wants(len(waiting))
		if !taking && left > 0 {
			ask = room
		}
		select {
		case ask <- left:
			taking = true
		case more := <-fetched:
			taking = false
			waiting = append(waiting, more...)
		case due <- workOf(batch):
			clear(batch) // else they are held for as long as anything waits
			waiting = waiting[len(batch):]
		case <-after(patience):
		case <-ctx.Done():
			s.release(ctx, leasesOf(waiting))
			return
		}
	}
}

// wants is how many questions to take where some wait already. Those that run
// apart go one by one; taken so, each would read the page and the clip that it
// shares with others again, and wait for the network on its own.
func (s *Server) wants(waiting int) int {
	left := s.Batch - waiting
	if s.Apart > 0 && left < waiting {
		return 0
	}
	return left
}

// together is how many questions a batch may have.
func (s *Server) together() int {
	if s.Apart > 0 {
		return 1
	}
	return s.Batch
}

// after is time.After, and never for what is not waited for.
func after(d time.Duration) <-chan time.Time {
	if d <= 0 {
		return nil
	}
	return time.After(d)
}

// asking is a question that was fetched, and waits to be run.
type asking struct {
	lease    *bus.Lease
	question *Question
	rows     int
	since    time.Time
}

// queue are questions in the order in which they came.
type queue []asking

// batch is what would run next of the queue: as much of its front as is allowed,
// at least one. It may go after patience, or at once where that is not positive:
// when it is full, or has a request that runs alone.
func (q queue) batch(most, rows int, wait time.Duration, now time.Time) (batch queue, patience time.Duration) {
	if len(q) == 0 {
		return nil, 0
	}
	n, sum := 1, q[0].rows
	for n < min(len(q), most) && (rows == 0 || sum+q[n].rows <= rows) {
		sum += q[n].rows
		n++
	}
	full := n == most || n < len(q) || rows > 0 && sum >= rows
	if full || q[0].lease.Solo {
		return q[:n], 0
	}
	return q[:n], wait - now.Sub(q[0].since)
}

func workOf(batch []asking) work {
	w := work{leases: leasesOf(batch), waiting: waiting(leasesOf(batch))}
	for _, a := range batch {
		w.questions = append(w.questions, a.question)
		w.rows += a.rows
	}
	return w
}

func leasesOf(all []asking) []*bus.Lease {
	leases := make([]*bus.Lease, len(all))
	for i, a := range all {
		leases[i] = a.lease
	}
	return leases
}
