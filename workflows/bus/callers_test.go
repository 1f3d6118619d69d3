package bus_test

import (
	"context"
	"testing"
	"time"

	"github.com/winnow-video/winnow/workflows/bus"
)

// call lists a process as one that asks until the returned function is called.
func call(t *testing.T, b *bus.Bus, name string) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- b.Call(ctx, name) }()
	return func() {
		t.Helper()
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

func waitShare(t *testing.T, b *bus.Bus, bundle string, want int) {
	t.Helper()
	for {
		share, err := b.Share(t.Context(), bundle)
		if err != nil {
			t.Fatal(err)
		}
		if share == want {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// Those who ask share three times what workers run at once; nobody else's bundle counts.
func TestShare(t *testing.T) {
	t.Parallel()
	b := connect(t)
	one, two := worker(t, "one"), worker(t, "two")
	one.Capacity, two.Capacity = 2, 3
	stopOne := call(t, b, "host.one:1")
	waitShare(t, b, digestOf(t), 0)
	leave, stay := advertise(t, b, one), advertise(t, b, two)
	waitShare(t, b, digestOf(t), 15)
	stopTwo := call(t, b, "host.two:2")
	waitShare(t, b, digestOf(t), 7)
	leave()
	waitShare(t, b, digestOf(t), 4)
	stopOne()
	waitShare(t, b, digestOf(t), 9)
	stay()
	waitShare(t, b, digestOf(t), 0)
	stopTwo()
}
