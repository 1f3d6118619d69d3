package source

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/semaphore"
	"golang.org/x/time/rate"

	"github.com/winnow-video/winnow/workflows/job"
	"github.com/winnow-video/winnow/workflows/wait"
)

// OriginLimits is what a process asks of one origin at most: a scheme and host,
// or an S3 server's bucket.
type OriginLimits struct {
	Concurrency int           // reads at once; default 16
	PerSecond   float64       // reads begun a second; default 0, as many as come
	Patience    time.Duration // with an origin that asks to wait, for every read; default 15 min
	Silence     time.Duration // of a body, then it counts as cut off; default 1 min
}

// WithDefaults fills in what is not set.
func (l OriginLimits) WithDefaults() OriginLimits {
	if l.Concurrency <= 0 {
		l.Concurrency = 16
	}
	if l.Patience <= 0 {
		l.Patience = 15 * time.Minute
	}
	if l.Silence <= 0 {
		l.Silence = time.Minute
	}
	return l
}

// maxOrigins bounds what is remembered: the one used longest ago is forgotten,
// and what still reads from it goes on under the limits it began with.
const maxOrigins = 4096

// Origins holds every origin to the same limits. It is safe for concurrent use;
// sources opened through one Origins share them.
type Origins struct {
	limits OriginLimits
	known  *lru.Cache[string, *origin]
}

// NewOrigins fills in the defaults of limits.
func NewOrigins(limits OriginLimits) *Origins {
	known, err := lru.New[string, *origin](maxOrigins)
	if err != nil {
		panic(err) // the size is a positive constant
	}
	return &Origins{limits: limits.WithDefaults(), known: known}
}

func (o *Origins) of(name string) *origin {
	if have, ok := o.known.Get(name); ok {
		return have
	}
	fresh := newOrigin(name, o.limits)
	if have, ok, _ := o.known.PeekOrAdd(name, fresh); ok {
		return have
	}
	return fresh
}

func (o *Origins) ofURL(video string) *origin {
	u, err := url.Parse(video)
	if err != nil {
		return o.of("") // no request will come of it
	}
	return o.of(u.Scheme + "://" + strings.ToLower(u.Host))
}

// busy is an answer that asks to come back later.
type busy struct {
	after  time.Duration // 0: it does not say when
	answer string
}

func (b *busy) Error() string { return b.answer }

// broken is what another try may mend.
type broken struct{ error }

func (b *broken) Unwrap() error { return b.error }

// origin is one server's share of the limits. Where it asks to wait, everybody waits.
type origin struct {
	name   string
	limits OriginLimits
	slots  *semaphore.Weighted
	rate   *rate.Limiter

	mu     sync.Mutex
	paused time.Time                   // when the last pause began
	until  time.Time                   // when it ends
	steps  *backoff.ExponentialBackOff // lengths of pauses, where the origin gives none
}

func newOrigin(name string, limits OriginLimits) *origin {
	perSecond := rate.Inf
	if limits.PerSecond > 0 {
		perSecond = rate.Limit(limits.PerSecond)
	}
	return &origin{
		name: name, limits: limits, slots: semaphore.NewWeighted(int64(limits.Concurrency)),
		rate: rate.NewLimiter(perSecond, 1), steps: steps(500*time.Millisecond, 30*time.Second),
	}
}

func steps(first, last time.Duration) *backoff.ExponentialBackOff {
	b := backoff.NewExponentialBackOff()
	b.InitialInterval, b.MaxInterval, b.Multiplier = first, last, 2
	b.Reset()
	return b
}

// pauseLeft is how long nobody may ask the origin.
func (o *origin) pauseLeft() time.Duration {
	o.mu.Lock()
	defer o.mu.Unlock()
	return time.Until(o.until)
}

// pause heeds an answer to what was sent at that time. Of many answers to what
// was sent before a pause, the first one decides how long it is, unless another
// names a later end. An eighth at most is added, so that not everybody comes back at once.
func (o *origin) pause(sent time.Time, after time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now()
	if after <= 0 {
		if sent.Before(o.paused) && now.Before(o.until) {
			return
		}
		after = o.steps.NextBackOff()
	} else {
		after += rand.N(after/8 + 1)
	}
	// Longer than anybody waits, an origin is not believed: it may mend before.
	until := now.Add(min(after, o.limits.Patience))
	if until.After(o.until) {
		o.paused, o.until = now, until
	}
}

// calm notes that the origin served what was sent at that time.
func (o *origin) calm(sent time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if sent.After(o.until) {
		o.steps.Reset()
	}
}

// do runs try under the origin's limits. While it ends in busy, do waits as long
// as there is patience, then fails with capacity/unavailable; where it is broken,
// do tries again a few times. Any other end of try is the end. ctx ends all waiting.
func (o *origin) do(ctx context.Context, try func(context.Context) error) error {
	v := visit{origin: o, mending: steps(200*time.Millisecond, 5*time.Second)}
	for {
		err := v.once(ctx, try)
		var cut *broken
		var later *busy
		switch {
		case errors.As(err, &later):
			v.later = later
		case errors.As(err, &cut):
			if err := v.mend(ctx, cut.error); err != nil {
				return err
			}
		default:
			return err
		}
	}
}

// visit is one read's way to an origin.
type visit struct {
	*origin
	since   time.Time // when the origin was found to be paused
	later   *busy     // what it said last to this read, if anything
	breaks  int
	mending *backoff.ExponentialBackOff
}

// maxBreaks is how often a read is tried whose connection breaks.
const maxBreaks = 4

func (v *visit) mend(ctx context.Context, err error) error {
	if v.breaks++; v.breaks >= maxBreaks {
		return err
	}
	return wait.Sleep(ctx, v.mending.NextBackOff())
}

func (v *visit) once(ctx context.Context, try func(context.Context) error) error {
	if err := v.enter(ctx); err != nil {
		return err
	}
	defer v.slots.Release(1)
	sent := time.Now()
	err := try(ctx)
	var later *busy
	switch {
	case errors.As(err, &later):
		v.pause(sent, later.after)
	case err == nil:
		v.calm(sent)
	}
	return err
}

// enter takes a slot once the origin may be asked. No slot is held through a
// pause: it may begin while the read waits for its turn.
func (v *visit) enter(ctx context.Context) error {
	for {
		if err := v.sitOut(ctx); err != nil {
			return err
		}
		if err := v.slots.Acquire(ctx, 1); err != nil {
			return err
		}
		err := v.pace(ctx)
		if err == nil && v.pauseLeft() <= 0 {
			return nil
		}
		v.slots.Release(1)
		if err != nil {
			return err
		}
	}
}

func (v *visit) pace(ctx context.Context) error {
	turn := v.rate.Reserve()
	err := wait.Sleep(ctx, turn.Delay())
	if err != nil {
		turn.Cancel()
	}
	return err
}

// sitOut waits until the origin's pause is over, or patience is.
func (v *visit) sitOut(ctx context.Context) error {
	for left := v.pauseLeft(); left > 0; left = v.pauseLeft() {
		if v.since.IsZero() {
			v.since = time.Now()
		}
		patience := v.limits.Patience - time.Since(v.since)
		if patience <= 0 {
			return v.spent()
		}
		if err := wait.Sleep(ctx, min(left, patience)); err != nil {
			return err
		}
	}
	return nil
}

func (v *visit) spent() error {
	said := "it asked others to wait"
	if v.later != nil {
		said = v.later.answer
	}
	return job.Fail(job.StageFetch, job.CapacityUnavailable,
		"%s serves nothing since %v (%s): wait, or read less from it at once", v.name, v.limits.Patience, said)
}
