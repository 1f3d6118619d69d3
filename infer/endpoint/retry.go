package endpoint

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"
	"golang.org/x/sync/semaphore"

	"github.com/winnow-video/winnow/workflows/job"
	"github.com/winnow-video/winnow/workflows/wait"
)

// limited bounds the exchanges in flight.
type limited struct {
	asker
	slots *semaphore.Weighted
}

func (l limited) ask(ctx context.Context, r Request) ([]byte, error) {
	if err := l.slots.Acquire(ctx, 1); err != nil {
		return nil, &again{why: "all of --language-inflight was taken"}
	}
	defer l.slots.Release(1)
	return l.asker.ask(ctx, r)
}

// failsOnly is how often a server may fail on one request, and answer others
// meanwhile, before that is the request's fault.
const failsOnly = 4

// patient asks again, as long as there is patience. It holds no slot while it waits.
type patient struct {
	asker
	patience time.Duration
	answered *atomic.Int64 // requests, of all that are asked
}

func (p patient) ask(ctx context.Context, r Request) ([]byte, error) {
	began := time.Now()
	bounded, cancel := context.WithTimeout(ctx, p.patience)
	defer cancel()
	pauses := backoff.NewExponentialBackOff()
	pauses.InitialInterval, pauses.MaxInterval, pauses.Multiplier = 200*time.Millisecond, 15*time.Second, 2
	last := &again{why: "it was asked, and has not said anything"}
	fails, before := 0, p.answered.Load()
	for {
		text, err := p.asker.ask(bounded, r)
		switch {
		case err == nil:
			p.answered.Add(1)
			return text, nil
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case !errors.As(err, &last) && bounded.Err() == nil:
			return nil, err
		}
		if last.failed {
			fails++
		}
		if fails >= failsOnly && p.answered.Load() > before {
			return nil, job.Fail(job.StageAnswer, job.ModelError, "the language server answers others, and failed on this request %d times: %s", fails, last.why)
		}
		pause := max(last.after, pauses.NextBackOff())
		if time.Since(began)+pause >= p.patience {
			return nil, job.Fail(job.StageAnswer, job.CapacityUnavailable, "the language server did not answer in %v: %s", p.patience, last.why)
		}
		if err := wait.Sleep(ctx, pause); err != nil {
			return nil, err
		}
	}
}
