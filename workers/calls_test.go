package workers

import (
	"context"
	"errors"
	"sync"
	"testing"
)

// room is the shares of bundles, as the directory of workers would have them.
type room struct {
	mu     sync.Mutex
	shares map[string]int
}

func (r *room) share(_ context.Context, bundle string) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.shares[bundle], nil
}

func (r *room) set(bundle string, share int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.shares[bundle] = share
}

// taken is how many slots c hands out before one has to wait.
func taken(c *calls) (n int) {
	for c.TryReserveSlot(nil) != nil {
		n++
	}
	return n
}

func release(c *calls, n int) {
	for range n {
		c.ReleaseSlot(nil)
	}
}

func wantTaken(t *testing.T, c *calls, when string, want int) {
	t.Helper()
	if got := taken(c); got != want {
		t.Errorf("%s: %d tasks are taken, want %d", when, got, want)
	}
}

func TestSlotsFollowShares(t *testing.T) {
	t.Parallel()
	r := &room{shares: map[string]int{"a": 6, "b": 10}}
	c := newCalls(r.share, 40, unwatched{})
	wantTaken(t, c, "nothing is asked for", probes)
	release(c, probes-1)
	a := c.begin(t.Context(), "a", 4) // the one left
	wantTaken(t, c, "4 requests of 6", probes+2)
	release(c, probes+2)
	r.set("a", 2)
	c.refresh(t.Context())
	wantTaken(t, c, "4 requests of 2", 0)
	r.set("a", 6)
	c.refresh(t.Context())
	c.slots++
	b := c.begin(t.Context(), "b", 1)
	wantTaken(t, c, "another bundle is in use", probes+2+9)
	release(c, probes+2+9)
	c.slots++
	none := c.begin(t.Context(), "nobody serves it", 1000)
	wantTaken(t, c, "a bundle that nobody serves", probes+2+9)
	release(c, probes+2+9)
	for _, asked := range []*asking{a, b, none} {
		asked.done()
		release(c, 1)
	}
	wantTaken(t, c, "all is over", probes)
}

func TestSlotsAreBounded(t *testing.T) {
	t.Parallel()
	r := &room{shares: map[string]int{"a": 1000}}
	c := newCalls(r.share, 3, unwatched{})
	c.begin(t.Context(), "a", 1)
	c.slots = 1
	wantTaken(t, c, "room for a thousand", 2)
	ctx, cancel := context.WithCancel(t.Context())
	got := make(chan error)
	go func() {
		_, err := c.ReserveSlot(ctx, nil)
		got <- err
	}()
	c.ReleaseSlot(nil)
	if err := <-got; err != nil {
		t.Errorf("a slot that became free: %v", err)
	}
	cancel()
	if _, err := c.ReserveSlot(ctx, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("the worker stops: %v", err)
	}
}

// Of a task's requests no more are out than the share, whatever their number.
func TestRequestsAreBounded(t *testing.T) {
	t.Parallel()
	r := &room{shares: map[string]int{"a": 3}}
	c := newCalls(r.share, 40, unwatched{})
	a := c.begin(t.Context(), "a", 20)
	var group sync.WaitGroup
	var mu sync.Mutex
	out, most := 0, 0
	full, proceed := make(chan struct{}), make(chan struct{})
	for range 20 {
		group.Go(func() {
			err := a.request(t.Context(), func() error {
				mu.Lock()
				if out++; out == 3 && most < 3 {
					close(full)
				}
				most = max(most, out)
				mu.Unlock()
				<-proceed
				mu.Lock()
				out--
				mu.Unlock()
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	<-full
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	other := c.begin(ctx, "a", 1)
	if err := other.request(ctx, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("a task that is canceled while it waits: %v", err)
	}
	other.done()
	close(proceed)
	group.Wait()
	a.done()
	if most != 3 || len(c.bundles) != 0 {
		t.Errorf("%d requests were out at once, want 3; %d bundles are left in use", most, len(c.bundles))
	}
}
