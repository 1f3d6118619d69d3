package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/winnow-video/winnow/workflows/job"
)

// priorities of requests, first to last.
var priorities = [...]int{0, 1, 2}

// Puller takes a worker's requests off the queue, as many as it can hold:
// answers before encodes, since they end items, and in a stage by priority: of
// twelve, eight of the first, three of the second and one of the last, others
// where one has fewer.
// What it holds stays its own for as long as the process lives.
type Puller struct {
	bus       *Bus
	worker    Worker
	stages    []*stageQueue // in the order they are served
	announced *nats.Subscription
	stop      func() // ends the in-progress acks

	taking    sync.Mutex // held while requests are asked for
	stream    jetstream.Stream
	consumers map[Class]jetstream.Consumer
	hints     *hints // of what is worth asking for

	mu      sync.Mutex
	kept    time.Time       // when in-progress acks were last sent
	changed chan struct{}   // closed when a request was published or a lease ended
	held    map[*Lease]bool // handed out
	alone   []*Lease        // redelivered: each runs alone
}

// Pull begins to take requests for w.Bundle, of w.Stages.
func (b *Bus) Pull(w Worker) (*Puller, error) {
	p := &Puller{
		bus: b, worker: w, stages: stagesOf(w),
		consumers: map[Class]jetstream.Consumer{}, held: map[*Lease]bool{},
		changed: make(chan struct{}), kept: time.Now(),
	}
	p.hints = newHints(p.stages)
	var err error
	p.announced, err = b.conn.Subscribe(requestsOf(w.Bundle), func(m *nats.Msg) {
		p.hints.announce(m.Subject, time.Now())
		p.rouse()
	})
	if err != nil {
		return nil, fmt.Errorf("listen for requests: %w", unavailable(err))
	}
	ctx, stop := context.WithCancel(context.Background())
	p.stop = stop
	go p.keep(ctx)
	return p, nil
}

// stageQueue is a stage's classes, by priority.
type stageQueue struct {
	stage   job.Stage
	classes [len(priorities)]Class
	shares  shares
}

func stagesOf(w Worker) []*stageQueue {
	var stages []*stageQueue
	for _, stage := range []job.Stage{job.StageAnswer, job.StageEncode} {
		if !slices.Contains(w.Stages, stage) {
			continue
		}
		q := &stageQueue{stage: stage}
		for i, priority := range priorities {
			q.classes[i] = Class{Stage: stage, Bundle: short(w.Bundle), Priority: priority}
		}
		stages = append(stages, q)
	}
	return stages
}

// Next waits until there is something to do and returns up to limit requests, of
// some stages or, without any, of all. A redelivered request comes alone: after
// all that is out has ended, and nothing else comes until it has ended too. The
// error is ctx's. Several goroutines may wait at a time, for other stages each.
func (p *Puller) Next(ctx context.Context, limit int, stages ...job.Stage) ([]*Lease, error) {
	for {
		changed := p.change()
		leases, err := p.take(ctx, limit, stages)
		if err != nil && ctx.Err() == nil {
			p.bus.config.Logger.Warn("requests not taken", "worker", p.worker.Name, "error", err)
		}
		if len(leases) > 0 {
			return leases, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-changed:
		case <-time.After(p.hints.pause(time.Now())):
		}
	}
}

// take returns what can be done right now.
func (p *Puller) take(ctx context.Context, limit int, stages []job.Stage) ([]*Lease, error) {
	p.taking.Lock()
	defer p.taking.Unlock()
	if !p.waitsAlone() {
		fresh, err := p.fetch(ctx, limit, stages)
		if len(fresh) > 0 || err != nil {
			return fresh, err
		}
	}
	lease, err := p.takeAlone(ctx, stages)
	if lease == nil || err != nil {
		return nil, err
	}
	return []*Lease{lease}, nil
}

// wanted says whether stages has a stage. None means all.
func wanted(stages []job.Stage, stage job.Stage) bool {
	return len(stages) == 0 || slices.Contains(stages, stage)
}

// waitsAlone says whether a request waits to run alone, or does.
func (p *Puller) waitsAlone() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for lease := range p.held {
		if lease.Solo {
			return true
		}
	}
	return len(p.alone) > 0
}

// fetch hands out new requests and sets redelivered ones aside. Without a
// connection it does not ask: the answer would come when nobody listens any more.
func (p *Puller) fetch(ctx context.Context, limit int, stages []job.Stage) ([]*Lease, error) {
	if !p.bus.conn.IsConnected() {
		return nil, nil
	}
	if err := p.look(ctx); err != nil {
		return nil, err
	}
	var fresh []*Lease
	for _, stage := range p.stages {
		if !wanted(stages, stage.stage) {
			continue
		}
		messages, err := p.fetchStage(ctx, stage, limit)
		for _, m := range messages {
			if lease := p.lease(ctx, m); lease != nil && !lease.Solo {
				fresh = append(fresh, lease)
			}
		}
		if limit -= len(messages); err != nil || limit == 0 {
			return fresh, err
		}
	}
	return fresh, nil
}

// fetchStage returns up to limit messages of a stage: to each priority its share,
// then what is left to whoever has more, the first first.
func (p *Puller) fetchStage(ctx context.Context, stage *stageQueue, limit int) (all []jetstream.Msg, err error) {
	defer func() { stage.shares.deal(len(all)) }()
	quotas := stage.shares.of(limit)
	var drained [len(priorities)]bool
	for i, class := range stage.classes {
		if quotas[i] == 0 {
			continue
		}
		messages, err := p.fetchClass(ctx, class, quotas[i])
		all = append(all, messages...)
		if err != nil {
			return all, err
		}
		drained[i] = len(messages) < quotas[i]
	}
	for i, class := range stage.classes {
		if len(all) == limit || drained[i] {
			continue
		}
		messages, err := p.fetchClass(ctx, class, limit-len(all))
		all = append(all, messages...)
		if err != nil {
			return all, err
		}
	}
	return all, nil
}

// fetchClass returns what the class has, up to limit. It does not ask where there
// is likely to be nothing; a class without a durable has nothing.
func (p *Puller) fetchClass(ctx context.Context, class Class, limit int) (messages []jetstream.Msg, err error) {
	asked := time.Now()
	if !p.hints.likely(class) {
		return nil, nil
	}
	defer func() { p.hints.fetched(class, asked, len(messages), limit) }()
	consumer, err := p.consumer(ctx, class)
	if consumer == nil || err != nil {
		return nil, err
	}
	batch, err := consumer.FetchNoWait(limit)
	if err != nil {
		return nil, err
	}
	for m := range batch.Messages() {
		messages = append(messages, m)
	}
	if batch.Error() != nil { // most likely it was deleted: look for it again
		delete(p.consumers, class)
	}
	return messages, nil
}

func (p *Puller) consumer(ctx context.Context, class Class) (jetstream.Consumer, error) {
	if known, ok := p.consumers[class]; ok {
		return known, nil
	}
	consumer, err := p.bus.js.Consumer(ctx, InferStream, class.Durable())
	if errors.Is(err, jetstream.ErrConsumerNotFound) || errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("consumer %s: %w", class.Durable(), unavailable(err))
	}
	p.consumers[class] = consumer
	return consumer, nil
}

// lease takes a message in. One that cannot be read is ended here, in public:
// who waits for it hears why.
func (p *Puller) lease(ctx context.Context, m jetstream.Msg) *Lease {
	lease := &Lease{puller: p, message: m}
	if meta, err := m.Metadata(); err == nil {
		lease.Published, lease.Solo = meta.Timestamp, meta.NumDelivered > 1
	}
	if err := json.Unmarshal(m.Data(), &lease.Request); err != nil || lease.Request.V != Version || lease.Request.Stage() == "" {
		p.refuse(m, lease.Request)
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if lease.Solo {
		p.alone = append(p.alone, lease)
	} else {
		p.held[lease] = true
	}
	return lease
}

// refuse ends a message of another version, or of none.
func (p *Puller) refuse(m jetstream.Msg, req Request) {
	failure := job.Fail(req.Stage(), job.InternalVersion,
		"request of version %d: worker %s (%s) reads version %d; run one version of Winnow", req.V, p.worker.Name, p.worker.Version, Version)
	done := Done{V: Version, Out: req.Out, Worker: p.worker.Name, Failure: failure}
	err := errors.Join(
		p.bus.publish(doneSubjectOf(m.Subject()), done),
		m.TermWithReason(failure.Detail),
	)
	if err != nil {
		p.bus.config.Logger.Warn("message not refused", "subject", m.Subject(), "error", err)
	}
}

// keep tells the server that all that is held is being worked on.
func (p *Puller) keep(ctx context.Context) {
	tick := time.NewTicker(p.bus.config.AckWait / 3)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for _, lease := range p.all() {
			if err := lease.message.InProgress(); err != nil && !errors.Is(err, jetstream.ErrMsgAlreadyAckd) {
				p.bus.config.Logger.Warn("in-progress ack not sent", "subject", lease.message.Subject(), "error", err)
			}
		}
	}
}

// Check says whether what is held is kept: where it is not, the process is stuck,
// and others take its requests.
func (p *Puller) Check(context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if silent := time.Since(p.kept); silent > p.bus.config.AckWait {
		return fmt.Errorf("no in-progress ack was sent for %v", silent.Round(time.Second))
	}
	return nil
}

// all is what is held, to be kept now.
func (p *Puller) all() []*Lease {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.kept = time.Now()
	all := slices.Clone(p.alone)
	for lease := range p.held {
		all = append(all, lease)
	}
	return all
}

// rouse makes everyone who waits in Next look again.
func (p *Puller) rouse() {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.changed)
	p.changed = make(chan struct{})
}

// change is closed by the next rouse.
func (p *Puller) change() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.changed
}

// Close gives back all that has not ended, and takes no more.
func (p *Puller) Close(ctx context.Context) error {
	errs := []error{p.announced.Unsubscribe()}
	for _, lease := range p.all() {
		errs = append(errs, lease.Release(ctx))
	}
	p.stop()
	return errors.Join(errs...)
}
