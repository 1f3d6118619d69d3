package bus

import (
	"context"
	"time"
)

// ahead is how many requests may be out for each that workers run at once: what
// runs, what is fetched meanwhile, and as much again that is on its way.
const ahead = 3

// Call lists a process among those that ask for inference until ctx ends.
func (b *Bus) Call(ctx context.Context, name string) error {
	key := notInKeys.ReplaceAllString(name, "_")
	return b.list(ctx, entry{bucket: callersBucket(b.config), key: key, name: name, text: []byte("{}")})
}

// Share is how many requests for a bundle one of those who ask should have out,
// so that all together have a small multiple of what its workers run at once. What
// is wanted beyond waits where fairness orders it: in Temporal. 0 means that
// nobody serves the bundle.
func (b *Bus) Share(ctx context.Context, bundle string) (int, error) {
	workers, err := b.serversOf(ctx, bundle)
	if err != nil || len(workers) == 0 {
		return 0, err
	}
	callers, err := b.countCallers(ctx)
	if err != nil {
		return 0, err
	}
	capacity := 0
	for _, w := range workers {
		capacity += max(w.Capacity, 1)
	}
	return max(1, ahead*capacity/max(callers, 1)), nil
}

// callersSnapshot is how many asked a moment ago.
type callersSnapshot struct {
	taken time.Time
	n     int
}

// countCallers counts who asks; an answer is good for a sixth of the TTL.
func (b *Bus) countCallers(ctx context.Context) (int, error) {
	b.mu.Lock()
	snapshot := b.callers
	b.mu.Unlock()
	if time.Since(snapshot.taken) <= b.config.WorkerTTL/6 {
		return snapshot.n, nil
	}
	ctx, cancel := context.WithTimeout(ctx, publishLimit)
	defer cancel()
	bucket, err := b.js.KeyValue(ctx, CallersBucket)
	if err != nil {
		return 0, unavailable(err)
	}
	keys, err := bucket.ListKeys(ctx)
	if err != nil {
		return 0, unavailable(err)
	}
	snapshot = callersSnapshot{taken: time.Now()}
	for range keys.Keys() {
		snapshot.n++
	}
	b.mu.Lock()
	b.callers = snapshot
	b.mu.Unlock()
	return snapshot.n, nil
}
