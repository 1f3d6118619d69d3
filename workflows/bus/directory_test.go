package bus_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/winnow-video/winnow/workflows/bus"
	"github.com/winnow-video/winnow/workflows/job"
)

// advertise keeps w in the directory until the returned function is called.
func advertise(t *testing.T, b *bus.Bus, w bus.Worker) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- b.Advertise(ctx, w) }()
	return func() {
		t.Helper()
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

// serving lists the workers of a bundle.
func serving(t *testing.T, b *bus.Bus, bundle string) []bus.Worker {
	t.Helper()
	all, err := b.Workers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(all, func(w bus.Worker) bool { return w.Bundle != bundle })
}

func waitWorkers(t *testing.T, b *bus.Bus, bundle string, want int) []bus.Worker {
	t.Helper()
	for {
		if workers := serving(t, b, bundle); len(workers) == want {
			return workers
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func TestDirectory(t *testing.T) {
	t.Parallel()
	b := connect(t)
	one, two := worker(t, "host.one:1"), worker(t, "host.two:2")
	two.Stages = []job.Stage{job.StageAnswer}
	stopOne, stopTwo := advertise(t, b, one), advertise(t, b, two)
	if diff := cmp.Diff([]bus.Worker{one, two}, waitWorkers(t, b, digestOf(t), 2)); diff != "" {
		t.Errorf("directory (-want +got):\n%s", diff)
	}
	stopOne()
	if diff := cmp.Diff([]bus.Worker{two}, serving(t, b, digestOf(t))); diff != "" {
		t.Errorf("after one left (-want +got):\n%s", diff)
	}
	stopTwo()
}

func TestDeadWorkerLeavesTheDirectory(t *testing.T) {
	t.Parallel()
	b, crash := connect(t), connect(t)
	go crash.Advertise(t.Context(), worker(t, "dead"))
	waitWorkers(t, b, digestOf(t), 1)
	crash.Close()
	waitWorkers(t, b, digestOf(t), 0)
}
