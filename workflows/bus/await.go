package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/winnow-video/winnow/workflows/artifact"
	"github.com/winnow-video/winnow/workflows/job"
)

const (
	beatEvery     = 5 * time.Second // well below the heartbeat timeout of an activity
	publishLimit  = 5 * time.Second
	shortestPause = 250 * time.Millisecond // before trouble of kind capacity is tried again
	longestPause  = 30 * time.Second
	memoryTries   = 3  // a request that found too little memory so often will not find more
	looksAnInput  = 40 // after so many looks for the object, what it is made of is looked at: ten minutes

	lastWord = time.Second // for the done message of an object that was found by looking
)

// Made is what Await returns: the object, and what its making took.
type Made struct {
	artifact.Ref

	// Device is what workers' devices ran for the request: a batch is shared out
	// among its requests. Of waiters for one object, only the one that put the
	// request on the queue is told, so that sums count an inference once. An end
	// that nobody heard of counts nothing: a done message that was lost, a waiter
	// that died and was replaced.
	Device time.Duration
}

// Await asks for the object req.Out and returns it once it lies in store. The
// error is a *job.Failure, or ctx's. Whoever asks for the same object at the
// same time shares one inference.
//
// A lost message, stream or worker heals: the waiter looks and asks again.
// Trouble of kind capacity is waited out for Config.Patience. beat is called
// all the while, by a goroutine of its own. What a failure took is told as well.
func (b *Bus) Await(ctx context.Context, store artifact.Store, req Request, priority int, beat func()) (Made, error) {
	defer beating(beat)()
	w := &waiter{bus: b, store: store, req: req, class: req.Class(priority), told: make(chan *nats.Msg, 4)}
	done, err := b.conn.ChanSubscribe(DoneSubject(req.Out), w.told)
	if err != nil { // the Bus is closed
		return Made{}, job.Fail(req.Stage(), job.CapacityUnavailable, "wait for %s: %v", req.Out, err)
	}
	defer done.Unsubscribe()
	ref, err := w.wait(ctx)
	if err != nil && ctx.Err() != nil {
		return Made{}, ctx.Err()
	}
	if err == nil && w.mine && !w.heard {
		w.listen(ctx)
	}
	return Made{ref, w.device}, err
}

// beating calls beat until the returned function is called.
func beating(beat func()) (stop func()) {
	done := make(chan struct{})
	go func() {
		tick := time.NewTicker(beatEvery)
		defer tick.Stop()
		for {
			beat()
			select {
			case <-done:
				return
			case <-tick.C:
			}
		}
	}()
	return func() { close(done) }
}

// waiter is one call of Await.
type waiter struct {
	bus   *Bus
	store artifact.Store
	req   Request
	class Class
	told  chan *nats.Msg // done messages
	asked bool           // once: what is asked again may have lost its durable
	looks int            // for the object

	mine   bool          // the request on the queue is this waiter's, not another's for the same object
	heard  bool          // that it ended
	device time.Duration // what workers tell they spent on it

	services patience // with the services: store, queue, and somebody to serve the bundle
	worker   patience // with workers that tell of trouble of kind capacity
}

// wait looks and asks until the object is there or is known not to come. An
// absent object and no error is neither.
func (w *waiter) wait(ctx context.Context) (artifact.Ref, error) {
	for {
		ref, pause, err := w.ask(ctx)
		if err != nil || ref.Key != "" {
			return ref, err
		}
		select {
		case <-ctx.Done():
			return artifact.Ref{}, ctx.Err()
		case m := <-w.told:
			if err := w.hear(ctx, m); err != nil {
				return artifact.Ref{}, err
			}
		case <-time.After(pause):
		}
	}
}

// ask looks for the object and, where it is not there, sees to it that it is
// asked for. It returns how long to wait before doing it again.
func (w *waiter) ask(ctx context.Context) (artifact.Ref, time.Duration, error) {
	ref, err := w.store.Stat(ctx, w.req.Out)
	if err == nil || !errors.Is(err, artifact.ErrNotFound) {
		return ref, w.services.pause(), w.bearable(err)
	}
	queued, err := w.bus.request(ctx, w.class, w.req, w.asked)
	if err != nil {
		return artifact.Ref{}, w.services.pause(), w.bearable(err)
	}
	w.asked, w.mine = true, w.mine || queued
	w.useInputs(ctx)
	served, err := w.bus.served(ctx, w.class.Stage, w.req.Bundle)
	if err == nil && !served {
		err = job.Fail(w.class.Stage, job.CapacityNoWorker,
			"no worker serves bundle %s: start winnow-infer with it", short(w.req.Bundle))
	}
	if err == nil {
		w.services = patience{}
	}
	return artifact.Ref{}, w.bus.config.LookEvery, w.bearable(err)
}

// useInputs looks at what the object is made of now and then, which tells storage
// that it is in use. Whoever makes the object says if it is missing.
func (w *waiter) useInputs(ctx context.Context) {
	if w.looks++; w.looks%looksAnInput != 0 {
		return
	}
	for _, key := range w.req.inputs() {
		_, _ = w.store.Stat(ctx, key)
	}
}

// bearable is nil while err is trouble that patience is left for.
func (w *waiter) bearable(err error) error {
	f := failure(w.class.Stage, err)
	if f == nil || f.Kind == job.KindCapacity && !w.services.spent(w.bus.config.Patience) {
		return nil
	}
	return f
}

// hear returns the failure a worker tells of. Of a made object it says nothing: ask finds it.
func (w *waiter) hear(ctx context.Context, m *nats.Msg) error {
	done, known := w.note(m)
	if !known || done.Failure == nil {
		return nil
	}
	tooMuch := done.Failure.Code == job.CapacityMemory && w.worker.tries+1 >= memoryTries
	if done.Failure.Kind != job.KindCapacity || tooMuch || w.worker.spent(w.bus.config.Patience) {
		return done.Failure
	}
	select {
	case <-ctx.Done():
	case <-time.After(w.worker.pause()):
	}
	return ctx.Err()
}

// note reads a done message and what it tells of the device.
func (w *waiter) note(m *nats.Msg) (done Done, known bool) {
	if json.Unmarshal(m.Data, &done) != nil || done.V != Version {
		return done, false
	}
	w.heard = true
	if w.mine {
		w.device += time.Duration(done.DeviceUS) * time.Microsecond
	}
	return done, true
}

// listen waits a moment for the message that follows upon the object.
func (w *waiter) listen(ctx context.Context) {
	select {
	case <-ctx.Done():
	case m := <-w.told:
		w.note(m)
	case <-time.After(lastWord):
	}
}

// patience counts how long trouble has lasted. Zero means that there is none.
type patience struct {
	since time.Time
	tries int
}

// spent notes that there is trouble, and says whether it has lasted too long.
func (p *patience) spent(limit time.Duration) bool {
	if p.tries++; p.since.IsZero() {
		p.since = time.Now()
	}
	return time.Since(p.since) > limit
}

// pause is how long to wait before the next try.
func (p *patience) pause() time.Duration {
	return min(shortestPause<<min(p.tries, 10), longestPause)
}

// failure is err as the typed failure of a stage; nil for none.
func failure(stage job.Stage, err error) *job.Failure {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, artifact.ErrUnavailable), errors.Is(err, ErrUnavailable):
		return job.Fail(stage, job.CapacityUnavailable, "%v", err)
	}
	return job.AsFailure(stage, err)
}

// request puts req on the queue, unless it is there already; queued says whether
// it did. again is true for what was asked before: then nothing about the queue
// is taken for granted.
func (b *Bus) request(ctx context.Context, class Class, req Request, again bool) (queued bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, publishLimit)
	defer cancel()
	text, err := json.Marshal(req)
	if err != nil {
		return false, fmt.Errorf("request for %s: %w", req.Out, err)
	}
	queued, err = b.enqueue(ctx, class, req.Out, text, again)
	if errors.Is(err, jetstream.ErrStreamNotFound) || errors.Is(err, jetstream.ErrNoStreamResponse) {
		if err = b.ensureStreams(ctx); err == nil {
			queued, err = b.enqueue(ctx, class, req.Out, text, true)
		}
	}
	if err != nil {
		return false, fmt.Errorf("ask for %s: %w", req.Out, unavailable(err))
	}
	return queued, nil
}

// enqueue makes the class's durable first, so that no request lies where no worker looks.
func (b *Bus) enqueue(ctx context.Context, class Class, out artifact.Key, text []byte, again bool) (queued bool, err error) {
	if again || !b.knows(class) {
		if err := b.ensureConsumer(ctx, class); err != nil {
			return false, err
		}
	}
	err = b.offer(ctx, class, out, text)
	if !isQueued(err) {
		return err == nil, err
	}
	if again {
		return b.replaceAcked(ctx, class, out, text)
	}
	return false, nil
}

func (b *Bus) offer(ctx context.Context, class Class, out artifact.Key, text []byte) error {
	_, err := b.js.Publish(ctx, class.Subject(out), text, jetstream.WithExpectStream(InferStream))
	return err
}

// isQueued says whether the stream refused a message because the subject has one.
func isQueued(err error) bool {
	const storeFailed = 10077
	var api *jetstream.APIError
	return errors.As(err, &api) && api.ErrorCode == storeFailed && api.Description == "maximum messages per subject exceeded"
}
