package bus

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/winnow-video/winnow/workflows/job"
)

// maxSoloStarts is how often a request may run alone without coming to an end.
const maxSoloStarts = 2

// Lease is a request that a worker holds until it finishes or releases it.
type Lease struct {
	Request   Request
	Published time.Time // by the queue's clock
	Solo      bool      // it was delivered before: nothing else runs beside it

	Device time.Duration // the holder's to set before Finish: what its device ran for the request

	puller  *Puller
	message jetstream.Msg
}

// Finish tells how the request ended, then takes it off the queue. A nil
// failure says that the object lies under Request.Out. After an error the
// request may come to another worker: it finds the object there.
func (l *Lease) Finish(ctx context.Context, failure *job.Failure) error {
	done := Done{
		V: Version, Out: l.Request.Out, Worker: l.puller.worker.Name,
		DeviceUS: l.Device.Microseconds(), Failure: failure,
	}
	err := errors.Join(
		l.puller.bus.publish(DoneSubject(l.Request.Out), done),
		l.message.DoubleAck(ctx),
	)
	if l.Solo && err == nil {
		err = l.puller.bus.setSoloStarts(ctx, l, 0)
	}
	l.puller.forget(l)
	if err != nil {
		return fmt.Errorf("finish %s: %w", l.Request.Out, unavailable(err))
	}
	return nil
}

// Release gives the request back unharmed: another worker runs it at once.
func (l *Lease) Release(ctx context.Context) error {
	err := l.message.Nak()
	if l.Solo && l.puller.isOut(l) {
		err = errors.Join(err, l.puller.bus.revokeSoloStart(ctx, l))
	}
	l.puller.forget(l)
	if err != nil {
		return fmt.Errorf("give %s back: %w", l.Request.Out, unavailable(err))
	}
	return nil
}

// takeAlone hands out a request of some stages that has to run alone, once
// nothing else is out. One that ended nothing but workers is finished as poison
// instead.
func (p *Puller) takeAlone(ctx context.Context, stages []job.Stage) (*Lease, error) {
	for {
		lease := p.firstAlone(stages)
		if lease == nil {
			return nil, nil
		}
		starts, err := p.bus.soloStarts(ctx, lease)
		if err != nil {
			return nil, err
		}
		if starts < maxSoloStarts {
			return lease, p.handOutAlone(ctx, lease, starts+1)
		}
		poison := job.Fail(lease.Request.Stage(), job.ModelPoison,
			"the worker ended %d times while it ran this request alone: see the workers' logs", starts)
		if err := lease.Finish(ctx, poison); err != nil {
			return nil, err
		}
	}
}

// firstAlone is the next request of some stages that may start alone now.
func (p *Puller) firstAlone(stages []job.Stage) *Lease {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.held) > 0 {
		return nil
	}
	for _, lease := range p.alone {
		if wanted(stages, lease.Request.Stage()) {
			return lease
		}
	}
	return nil
}

// handOutAlone notes the start before it happens.
func (p *Puller) handOutAlone(ctx context.Context, l *Lease, starts int) error {
	if err := p.bus.setSoloStarts(ctx, l, starts); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.alone = slices.DeleteFunc(p.alone, func(other *Lease) bool { return other == l })
	p.held[l] = true
	return nil
}

func (p *Puller) isOut(l *Lease) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.held[l]
}

func (p *Puller) forget(l *Lease) {
	p.mu.Lock()
	delete(p.held, l)
	p.alone = slices.DeleteFunc(p.alone, func(other *Lease) bool { return other == l })
	p.mu.Unlock()
	p.rouse()
}

// soloStarts is how often the request was started alone without having ended.
func (b *Bus) soloStarts(ctx context.Context, l *Lease) (int, error) {
	marks, err := b.marks(ctx)
	if err != nil {
		return 0, err
	}
	mark, err := marks.Get(ctx, l.mark())
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("poison mark of %s: %w", l.Request.Out, unavailable(err))
	}
	return strconv.Atoi(string(mark.Value()))
}

func (b *Bus) setSoloStarts(ctx context.Context, l *Lease, starts int) error {
	marks, err := b.marks(ctx)
	if err != nil {
		return err
	}
	if starts == 0 {
		err = marks.Purge(ctx, l.mark())
	} else {
		_, err = marks.PutString(ctx, l.mark(), strconv.Itoa(starts))
	}
	if err != nil {
		return fmt.Errorf("poison mark of %s: %w", l.Request.Out, unavailable(err))
	}
	return nil
}

// revokeSoloStart takes back the start of a request that was stopped in good order.
func (b *Bus) revokeSoloStart(ctx context.Context, l *Lease) error {
	starts, err := b.soloStarts(ctx, l)
	if err != nil || starts == 0 {
		return err
	}
	return b.setSoloStarts(ctx, l, starts-1)
}

func (b *Bus) marks(ctx context.Context) (jetstream.KeyValue, error) {
	marks, err := b.js.KeyValue(ctx, PoisonBucket)
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		marks, err = b.js.CreateKeyValue(ctx, poisonBucket(b.config))
	}
	if err != nil {
		return nil, fmt.Errorf("bucket %s: %w", PoisonBucket, unavailable(err))
	}
	return marks, nil
}

// mark is the request's key in the poison bucket: stage and key hash.
func (l *Lease) mark() string {
	return string(l.Request.Stage()) + "." + l.Request.Out.Hash()
}

// doneSubjectOf is DoneSubject of the key whose hash ends a request's subject.
func doneSubjectOf(subject string) string {
	return fmt.Sprintf("winnow.done.v%d.%s", Version, subject[strings.LastIndexByte(subject, '.')+1:])
}
