package workers

import (
	"context"
	"fmt"
	"path"
	"slices"
	"sync"
	"testing"
	"time"

	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"

	"github.com/winnow-video/winnow/workflows"
	"github.com/winnow-video/winnow/workflows/artifact"
	"github.com/winnow-video/winnow/workflows/bus"
	"github.com/winnow-video/winnow/workflows/stack/stacktest"
)

// A hundred videos wait for a worker that runs two requests at once. The queue
// holds a small multiple of that; the others wait in Temporal, where a job of
// higher priority that comes later overtakes them, and one of another team does
// not wait for them all.
func TestRequestsWaitInTemporal(t *testing.T) {
	t.Parallel()
	const capacity, bound, videos, few = 2, 6, 100, 3
	devstack := stacktest.StartIn(t, t.TempDir())
	s, err := connect(t.Context(), &devstack.Services, "backlog test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	low, high, other := newRig(t, s), newRig(t, s), newRig(t, s)
	high.id, other.id = "urgent-00000000.1", "other-00000000.1"
	low.priority = temporal.Priority{PriorityKey: 2, FairnessKey: "a team"}
	high.priority = temporal.Priority{PriorityKey: 1, FairnessKey: "a team"}
	other.priority = temporal.Priority{PriorityKey: 2, FairnessKey: "another"}
	low.clips(t, "low", videos)
	urgent, others := high.clips(t, "high", few), other.clips(t, "other", few)
	low.input.Window = workflows.Window{Videos: videos}
	low.oracle.self.Capacity = capacity
	order, release := low.oracle.watch(t, devstack.Services.NATS)
	low.oracle.start(t)
	waitServed(t, s.bus, low.bundle)

	low.start(t)
	dir := t.TempDir()
	serving, stop := context.WithCancel(context.Background())
	var worker sync.WaitGroup
	worker.Go(func() {
		if err := s.serve(serving, dir); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { stop(); worker.Wait() })
	low.waitEncodes(t, videos-bound-2*probes)
	for _, later := range []*rig{other, high} {
		later.start(t)
		later.waitEncodes(t, few)
	}
	release()
	for _, r := range []*rig{low, high, other} {
		r.wait(t)
	}

	requests, most := order()
	ended := capacity // and not yet acknowledged: who waited for one may have made room for another
	if most > bound+ended {
		t.Errorf("the queue held %d requests at once, want %d at most", most, bound+ended)
	}
	taken := 2 * (bound + probes) // before, and beside the urgent ones: who is taken first need not ask first
	if last := lastOf(requests, urgent); last >= taken+few {
		t.Errorf("the last urgent video was request %d of %d: others than those taken already went before it", last, len(requests))
	}
	if last := lastOf(requests, others); last >= taken+few+4*few {
		t.Errorf("the last video of the other team was request %d of %d: it did not get its turns", last, len(requests))
	}
}

// clips adds videos to the job and returns where their clips lie.
func (r *rig) clips(t *testing.T, name string, n int) (keys []artifact.Key) {
	t.Helper()
	for i := range n {
		keys = append(keys, r.video(t, fmt.Sprintf("%s-%d.mp4", name, i), 1))
	}
	return keys
}

// lastOf is which request was the last to encode one of the clips.
func lastOf(requests []bus.Request, clips []artifact.Key) (last int) {
	for i, r := range requests {
		if r.Encode != nil && slices.Contains(clips, r.Encode.Clip) {
			last = i
		}
	}
	return last
}

// watch holds all requests until release is called. It returns them in their
// order, and the most that the queue held at once.
func (o *oracle) watch(t *testing.T, c bus.Config) (order func() ([]bus.Request, int), release func()) {
	t.Helper()
	_, js := stacktest.RawNATS(t, c)
	var mu sync.Mutex
	var seen []bus.Request
	var most uint64
	released := make(chan struct{})
	o.hold = func(ctx context.Context, r bus.Request) {
		mu.Lock()
		seen = append(seen, r)
		mu.Unlock()
		select {
		case <-released:
		case <-ctx.Done():
		}
		stream, err := js.Stream(ctx, bus.InferStream)
		if err != nil {
			t.Error(err)
			return
		}
		mu.Lock()
		most = max(most, stream.CachedInfo().State.Msgs)
		mu.Unlock()
	}
	order = func() ([]bus.Request, int) {
		mu.Lock()
		defer mu.Unlock()
		return seen, int(most)
	}
	return order, func() { close(released) }
}

func waitServed(t *testing.T, b *bus.Bus, bundle string) {
	t.Helper()
	for {
		workers, err := b.Workers(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if slices.ContainsFunc(workers, func(w bus.Worker) bool { return w.Bundle == bundle }) {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// waitEncodes waits until n of the job's videos wait for a worker to take their Encode.
func (r *rig) waitEncodes(t *testing.T, n int) {
	t.Helper()
	waits := map[int]bool{}
	for len(waits) < n {
		for i := range r.items {
			if !waits[i] {
				waits[i] = r.encodeWaits(t, i)
			}
			if !waits[i] {
				delete(waits, i)
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func (r *rig) encodeWaits(t *testing.T, video int) bool {
	t.Helper()
	id := path.Join(workflows.JobWorkflowID(r.id), "0", "0", fmt.Sprint(video))
	found, err := r.temporal.DescribeWorkflowExecution(t.Context(), id, "")
	if err != nil {
		return false // it has not begun
	}
	for _, a := range found.PendingActivities {
		if a.ActivityType.Name == string(workflows.Encode) && a.State == enums.PENDING_ACTIVITY_STATE_SCHEDULED {
			return true
		}
	}
	return false
}
