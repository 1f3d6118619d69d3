package bus_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/winnow-video/winnow/workflows/artifact/memstore"
	"github.com/winnow-video/winnow/workflows/bus"
	"github.com/winnow-video/winnow/workflows/stack/stacktest"
)

func TestConnectRefuses(t *testing.T) {
	t.Parallel()
	good := fast(stacktest.Start(t).NATS)
	connectTo(t, good)
	for name, test := range map[string]struct {
		change func(*bus.Config)
		is     error
		want   string
	}{
		"no address":     {func(c *bus.Config) { c.URL = "" }, nil, "nats.urls is missing"},
		"wrong password": {func(c *bus.Config) { c.Password += "x" }, nats.ErrAuthorization, good.URL},
		"nobody there":   {func(c *bus.Config) { c.URL = "nats://" + stacktest.ClosedPort(t) }, bus.ErrUnavailable, "nats at"},
		"another TTL":    {func(c *bus.Config) { c.WorkerTTL = time.Minute }, bus.ErrSettings, "bucket WINNOW_WORKERS has other settings than Winnow needs: ttl is 6s, want 1m0s"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := good
			test.change(&c)
			_, err := bus.Connect(t.Context(), c)
			if err == nil || !strings.Contains(err.Error(), test.want) || test.is != nil && !errors.Is(err, test.is) {
				t.Errorf("Connect: %v, want %q", err, test.want)
			}
		})
	}
}

func TestOtherStreamIsRefused(t *testing.T) {
	t.Parallel()
	services := stacktest.StartIn(t, t.TempDir()).Services
	_, js := stacktest.RawNATS(t, services.NATS)
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: bus.InferStream, Subjects: []string{"winnow.infer.v1.>"}}); err != nil {
		t.Fatal(err)
	}
	_, err := bus.Connect(t.Context(), services.NATS)
	for _, want := range []string{"stream WINNOW_INFER", "retention is Limits, want WorkQueue", "max_msgs_per_subject is 0, want 1"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Connect: %v, want %q", err, want)
		}
	}
	stream, err := js.Stream(t.Context(), bus.InferStream)
	if err != nil || stream.CachedInfo().Config.Retention != jetstream.LimitsPolicy {
		t.Errorf("the stream was changed: %v", err)
	}
}

// Everything JetStream had is gone while a waiter waits.
func TestDeletedStreamsHeal(t *testing.T) {
	t.Parallel()
	services := stacktest.StartIn(t, t.TempDir()).Services
	b := connectTo(t, fast(services.NATS))
	_, js := stacktest.RawNATS(t, services.NATS)
	store := memstore.New()
	req := encode(t, "survivor")
	p, err := b.Pull(worker(t, "w"))
	if err != nil {
		t.Fatal(err)
	}
	ended := await(t, b, store, req, 1)
	next(t, p) // and its ack will find no stream
	for name := range js.StreamNames(t.Context()).Name() {
		if err := js.DeleteStream(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	// The old lease is still out and this Puller runs nothing alone beside it; the request is a new one.
	complete(t, store, next(t, p))
	wantMade(t, ended, req.Out)
}

// NATS is killed and comes back on what it had on disk.
func TestKilledServerHeals(t *testing.T) {
	t.Parallel()
	state := t.TempDir()
	d := stacktest.StartIn(t, state)
	b := connectTo(t, fast(d.Services.NATS))
	store := memstore.New()
	before, after := encode(t, "before"), encode(t, "after")
	beforeEnded := await(t, b, store, before, 1)
	p, err := b.Pull(worker(t, "w"))
	if err != nil {
		t.Fatal(err)
	}
	held := next(t, p)
	if err := d.Kill(); err != nil {
		t.Fatal(err)
	}
	stacktest.StartIn(t, state)
	afterEnded := await(t, b, store, after, 1)
	put(t, store, before.Out)
	if err := held.Finish(t.Context(), nil); err != nil {
		t.Logf("the server forgot who held it, which is fine: %v", err)
	}
	wantMade(t, beforeEnded, before.Out)
	for lease := next(t, p); ; lease = next(t, p) {
		complete(t, store, lease)
		if lease.Request.Out == after.Out {
			break
		}
	}
	wantMade(t, afterEnded, after.Out)
}
