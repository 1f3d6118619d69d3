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

// failsAlone is how often a server may fail on one request, and answer another
// each time before the next, until that is the request's fault.
const failsAlone = 4

// patient asks again, as long as there is patience. It holds no slot while it waits.
type patient struct {
	asker
	patience time.Duration
	probe    Request       // without a path: none
	answered *atomic.Int64 // requests, of all that are asked
}

func (p patient) ask(ctx context.Context, r Request) ([]byte, error) {
	began := time.Now()
	bounded, cancel := context.WithTimeout(ctx, p.patience)
	defer cancel()
	pauses := backoff.NewExponentialBackOff()
	pauses.InitialInterval, pauses.MaxInterval, pauses.Multiplier = 200*time.Millisecond, 15*time.Second, 2
	last := &again{why: "it was asked, and has not said anything"}
	var alone fault
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
		case last.failed && bounded.Err() == nil && p.counts(bounded, &alone) == failsAlone:
			return nil, job.Fail(job.StageAnswer, job.ModelError, "the language server answers others, and failed on this request %d times: %s", failsAlone, last.why)
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

// fault tells a server that fails on one request from one that fails on all.
type fault struct {
	times    int   // that it failed on the request, and had answered another since the time before
	answered int64 // requests, when it failed last
}

// counts notes that the server failed on a request, and returns how often that
// was the request's fault. Where it has answered nobody else, the probe shows
// whether it would have: the last of a job's requests are alone.
func (p patient) counts(ctx context.Context, f *fault) int {
	if f.times > 0 && p.answered.Load() == f.answered {
		p.askProbe(ctx)
	}
	if now := p.answered.Load(); f.times == 0 || now > f.answered {
		f.times, f.answered = f.times+1, now
	}
	return f.times
}

// askProbe asks the probe once.
func (p patient) askProbe(ctx context.Context) {
	if p.probe.Path == "" {
		return
	}
	if _, err := p.asker.ask(ctx, p.probe); err == nil {
		p.answered.Add(1)
	}
}
