package supervise

import (
	"context"
	"log/slog"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/winnow-video/winnow/workflows/wait"
)

// settled is how long a child must have served for its next death to count as a first one.
const settled = 30 * time.Second

// keeper keeps one child running until its context ends.
type keeper struct {
	child  Child
	ledger *ledger
	log    *slog.Logger
	ready  chan struct{} // closed when the child has been ready once
	done   chan struct{} // closed when the keeper has ended
	err    error         // why the child never was ready; valid after done
}

// keep starts a keeper; an orphan is adopted instead of starting the child anew.
func keep(ctx context.Context, child Child, orphan *Identity, ledger *ledger, log *slog.Logger) *keeper {
	k := &keeper{
		child: child, ledger: ledger, log: log.With("child", child.Name),
		ready: make(chan struct{}), done: make(chan struct{}),
	}
	go func() {
		defer close(k.done)
		k.err = k.run(ctx, orphan)
	}()
	return k
}

// await waits until the child is ready, or says why it will not be.
func (k *keeper) await(ctx context.Context) error {
	select {
	case <-k.ready:
		return nil
	case <-k.done:
		return k.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// run ends with the context, or when the first start fails.
func (k *keeper) run(ctx context.Context, orphan *Identity) error {
	delay := backoff.NewExponentialBackOff()
	delay.MaxInterval = 30 * time.Second
	for {
		p, err := k.begin(ctx, orphan)
		orphan = nil
		if err == nil {
			since := time.Now()
			k.markReady()
			if !k.watch(ctx, p) {
				return nil
			}
			if time.Since(since) > settled {
				delay.Reset()
			}
			err = k.child.died(p)
		} else if !k.wasReady() {
			return err
		}
		pause := delay.NextBackOff()
		k.log.Error("child ended; starting it again", "in", pause.Round(time.Millisecond), "err", err)
		if wait.Sleep(ctx, pause) != nil {
			return nil
		}
	}
}

// begin adopts the orphan or launches the child, and waits until it is ready.
func (k *keeper) begin(ctx context.Context, orphan *Identity) (*process, error) {
	if orphan != nil {
		k.log.Info("adopted from an earlier supervisor", "pid", orphan.PID)
		return adopt(*orphan), nil
	}
	p, err := k.child.launch()
	if err != nil {
		return nil, err
	}
	if err := k.ledger.note(k.child.Name, p.Identity); err != nil {
		k.child.end(p)
		return nil, err
	}
	if err := k.child.awaitReady(ctx, p); err != nil {
		k.child.end(p)
		return nil, err
	}
	k.log.Info("ready", "pid", p.PID)
	return p, nil
}

// watch waits for p's death, or ends p with the context; it says whether p died by itself.
func (k *keeper) watch(ctx context.Context, p *process) bool {
	select {
	case <-p.exited:
		return true
	case <-ctx.Done():
		k.child.end(p)
		if err := k.ledger.strike(k.child.Name); err != nil {
			k.log.Error("child ended, but stands in the ledger", "err", err)
		}
		return false
	}
}

func (k *keeper) markReady() {
	if !k.wasReady() {
		close(k.ready)
	}
}

func (k *keeper) wasReady() bool {
	select {
	case <-k.ready:
		return true
	default:
		return false
	}
}

// failed says whether the keeper ended because its child never was ready.
func (k *keeper) failed() bool {
	select {
	case <-k.done:
		return k.err != nil
	default:
		return false
	}
}
