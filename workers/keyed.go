package workers

import (
	"context"
	"sync"
)

// keyed is one lock a key, so that a process does a piece of work once while
// others who want it wait. Its zero value is ready.
type keyed struct {
	mu   sync.Mutex
	held map[string]chan struct{}
}

// lock waits for key, or for the end of ctx; unlock it where the error is nil.
func (k *keyed) lock(ctx context.Context, key string) (unlock func(), err error) {
	for {
		busy, mine := k.claim(key)
		if mine != nil {
			return mine, nil
		}
		select {
		case <-busy:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (k *keyed) claim(key string) (busy <-chan struct{}, unlock func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if ch, ok := k.held[key]; ok {
		return ch, nil
	}
	if k.held == nil {
		k.held = map[string]chan struct{}{}
	}
	ch := make(chan struct{})
	k.held[key] = ch
	return nil, func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		delete(k.held, key)
		close(ch)
	}
}
