package prune

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// spread calls do for every 0 ≤ i < n, on at most GOMAXPROCS goroutines, and returns when all are done.
func spread(n int, do func(i int)) {
	var next atomic.Int64
	work := func() {
		for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
			do(i)
		}
	}
	var others sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), n) - 1 {
		others.Go(work)
	}
	work()
	others.Wait()
}
