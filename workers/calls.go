package workers

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"go.temporal.io/sdk/worker"
)

const (
	// probes are the slots that wait for a task of a bundle that nobody asks of yet.
	probes = 2
	// shareEvery is how often a process that waits looks whether its share has grown.
	shareEvery = time.Second
)

// calls bounds what this process asks winnow-infer for. It is the slot supplier of
// queue winnow-call: tasks are taken while the bundles in use have room for their
// requests, so that all others wait in Temporal, which knows priorities and teams.
// Within a task, what is beyond the share waits here.
//
// A bundle that nobody serves has no share and takes no room: its tasks find that
// out by themselves, and hold up nobody else's.
type calls struct {
	share func(ctx context.Context, bundle string) (int, error) // see bus.Share
	most  int                                                   // slots
	watch Watcher

	mu      sync.Mutex
	changed chan struct{} // closed when something became free
	slots   int           // handed out
	bundles map[string]*load
}

// load is what is asked for of one bundle.
type load struct {
	share int             // 0: nobody serves it
	tasks int             // activities
	open  int             // their requests that have not ended
	out   int             // those that may be on the queue
	line  []chan struct{} // those that wait for that, each closed when it may
}

// admit lets those in line go that have room.
func (l *load) admit() {
	for len(l.line) > 0 && (l.share == 0 || l.out < l.share) {
		l.out++
		close(l.line[0])
		l.line = l.line[1:]
	}
}

func newCalls(share func(context.Context, string) (int, error), most int, watch Watcher) *calls {
	return &calls{share: share, most: most, watch: watch, changed: make(chan struct{}), bundles: map[string]*load{}}
}

// tuner has a worker's activities take their slots of c.
func (c *calls) tuner() (worker.WorkerTuner, error) {
	others, err := worker.NewFixedSizeTuner(worker.FixedSizeTunerOptions{})
	return callTuner{others, c}, err
}

type callTuner struct {
	worker.WorkerTuner
	calls *calls
}

// GetActivityTaskSlotSupplier implements worker.WorkerTuner.
func (t callTuner) GetActivityTaskSlotSupplier() worker.SlotSupplier { return t.calls }

// free says whether one more task may be taken.
func (c *calls) free() bool {
	wanted, room := c.slots, probes
	for _, l := range c.bundles {
		wanted -= l.tasks // a slot whose task has told its requests counts as those
		if l.share > 0 {
			wanted += l.open
			room += l.share
		}
	}
	return wanted < room && c.slots < c.most
}

// ReserveSlot implements worker.SlotSupplier.
func (c *calls) ReserveSlot(ctx context.Context, _ worker.SlotReservationInfo) (*worker.SlotPermit, error) {
	for {
		c.mu.Lock()
		changed, free := c.changed, c.reserve()
		c.mu.Unlock()
		if free {
			return &worker.SlotPermit{}, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// TryReserveSlot implements worker.SlotSupplier.
func (c *calls) TryReserveSlot(worker.SlotReservationInfo) *worker.SlotPermit {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.reserve() {
		return nil
	}
	return &worker.SlotPermit{}
}

func (c *calls) reserve() bool {
	free := c.free()
	if free {
		c.slots++
		c.tellWatcher()
	}
	return free
}

// MarkSlotUsed implements worker.SlotSupplier.
func (c *calls) MarkSlotUsed(worker.SlotMarkUsedInfo) {}

// ReleaseSlot implements worker.SlotSupplier.
func (c *calls) ReleaseSlot(worker.SlotReleaseInfo) {
	c.update(func() { c.slots-- })
}

// MaxSlots implements worker.SlotSupplier.
func (c *calls) MaxSlots() int { return c.most }

// asking is one activity that asks for objects of a bundle.
type asking struct {
	calls  *calls
	bundle string
	load   *load
}

// begin notes an activity that makes n requests, by request. It is done at the end.
func (c *calls) begin(ctx context.Context, bundle string, n int) *asking {
	share, err := c.share(ctx, bundle)
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.bundles[bundle]
	if l == nil {
		l = &load{}
		c.bundles[bundle] = l
	}
	if err == nil {
		l.share = share
	}
	l.tasks++
	l.open += n
	c.tell()
	return &asking{c, bundle, l}
}

// done notes that all the activity's requests have ended.
func (a *asking) done() {
	a.calls.update(func() {
		if a.load.tasks--; a.load.tasks == 0 {
			delete(a.calls.bundles, a.bundle)
		}
	})
}

// request calls do, which puts one of the activity's requests on the queue and
// waits for its end, once there is room for it: first come, first served. The
// error is do's or ctx's.
func (a *asking) request(ctx context.Context, do func() error) error {
	defer a.calls.update(func() { a.load.open-- })
	if err := a.enter(ctx); err != nil {
		return err
	}
	defer a.calls.update(func() { a.load.out-- })
	return do()
}

func (a *asking) enter(ctx context.Context) error {
	turn := make(chan struct{})
	a.calls.update(func() { a.load.line = append(a.load.line, turn) })
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
	}
	a.calls.update(func() {
		if at := slices.Index(a.load.line, turn); at >= 0 {
			a.load.line = slices.Delete(a.load.line, at, at+1)
		} else { // its turn came meanwhile
			a.load.out--
		}
	})
	return ctx.Err()
}

// follow keeps the shares of bundles in use until ctx ends: workers come and go.
func (c *calls) follow(ctx context.Context) {
	tick := time.NewTicker(shareEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			c.refresh(ctx)
		}
	}
}

func (c *calls) refresh(ctx context.Context) {
	c.mu.Lock()
	bundles := slices.Collect(maps.Keys(c.bundles))
	c.mu.Unlock()
	for _, bundle := range bundles {
		share, err := c.share(ctx, bundle)
		if err != nil { // the share stays as it was
			continue
		}
		c.update(func() {
			if l := c.bundles[bundle]; l != nil {
				l.share = share
			}
		})
	}
}

// update changes something, and lets go who may go then.
func (c *calls) update(change func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change()
	for _, l := range c.bundles {
		l.admit()
	}
	c.tell()
}

func (c *calls) tell() {
	close(c.changed)
	c.changed = make(chan struct{})
	c.tellWatcher()
}

func (c *calls) tellWatcher() {
	out := 0
	for _, l := range c.bundles {
		out += l.out
	}
	c.watch.Calling(c.slots, out)
}
