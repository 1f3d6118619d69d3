package workers

import (
	"context"
	"fmt"
	"path"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	enums "go.temporal.io/api/enums/v1"

	"github.com/winnow-video/winnow/workflows"
	"github.com/winnow-video/winnow/workflows/artifact"
	"github.com/winnow-video/winnow/workflows/bus"
	"github.com/winnow-video/winnow/workflows/stack/stacktest"
)

// A hundred videos wait for a worker that runs two requests at once. The queue
// holds a small multiple of that; the others wait in Temporal, where a job of
// higher priority that comes later overtakes them.
func TestRequestsWaitInTemporal(t *testing.T) {
	t.Parallel()
	const capacity, bound, videos, urgent = 2, 6, 100, 3
	devstack := stacktest.StartIn(t, t.TempDir())
	s, err := connect(t.Context(), &devstack.Services, "backlog test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	low, high := newRig(t, s), newRig(t, s)
	high.id = "urgent-00000000.1"
	low.priority, high.priority = 2, 1
	for i := range videos {
		low.video(t, fmt.Sprintf("low-%d.mp4", i), 1)
	}
	var clips []artifact.Key
	for i := range urgent {
		clips = append(clips, high.video(t, fmt.Sprintf("high-%d.mp4", i), 1))
	}
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
	high.start(t)
	high.waitEncodes(t, urgent)
	release()
	low.wait(t)
	high.wait(t)

	requests, most := order()
	if most > bound {
		t.Errorf("the queue held %d requests at once, want %d at most", most, bound)
	}
	last := slices.IndexFunc(requests, func(r bus.Request) bool {
		clips = slices.DeleteFunc(clips, func(clip artifact.Key) bool { return r.Encode != nil && r.Encode.Clip == clip })
		return len(clips) == 0
	})
	if last < 0 || last >= bound+probes+urgent {
		t.Errorf("the last urgent video was request %d of %d: others than those taken already went before it", last, len(requests))
	}
}

// watch holds all requests until release is called. It returns them in their
// order, and the most that the queue held at once.
func (o *oracle) watch(t *testing.T, c bus.Config) (order func() ([]bus.Request, int), release func()) {
	t.Helper()
	conn, err := nats.Connect(c.URL, nats.UserInfo(c.User, c.Password))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
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
