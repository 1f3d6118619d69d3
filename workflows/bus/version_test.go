package bus_test

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/winnow-video/winnow/workflows/artifact/memstore"
	"github.com/winnow-video/winnow/workflows/bus"
	"github.com/winnow-video/winnow/workflows/job"
	"github.com/winnow-video/winnow/workflows/stack/stacktest"
)

// Two versions of Winnow on one server and one bundle leave each other's requests
// alone, and a worker of the other version does not count as one that serves.
func TestTwoVersions(t *testing.T) {
	t.Parallel()
	c := fast(stacktest.Start(t).NATS)
	c.Patience = time.Second
	b := connectTo(t, c)
	_, js := raw(t)
	stream, err := js.CreateStream(t.Context(), jetstream.StreamConfig{
		Name: "ANOTHER_VERSION", Subjects: []string{"winnow.infer.v2.>"}, Retention: jetstream.WorkQueuePolicy,
	})
	if err != nil {
		t.Fatal(err)
	}
	class := encode(t, "").Class(1)
	if _, err := js.Publish(t.Context(), "winnow.infer.v2.encode."+class.Bundle+".p1.hash", []byte(`{"v":2}`)); err != nil {
		t.Fatal(err)
	}
	directory, err := js.KeyValue(t.Context(), bus.WorkersBucket)
	if err != nil {
		t.Fatal(err)
	}
	entry := `{"v":2,"name":"newer","bundle":"` + digestOf(t) + `","stages":["encode"],"capacity":4}`
	if _, err := directory.PutString(t.Context(), class.Bundle+".newer", entry); err != nil {
		t.Fatal(err)
	}
	wantFailure(t, await(t, b, memstore.New(), encode(t, "nobody's"), 1), job.CapacityNoWorker)

	store := memstore.New()
	p, _ := pull(t, "ours")
	complete(t, store, next(t, p)) // what nobody served
	req := encode(t, "ours")
	ended := await(t, b, store, req, 1)
	if lease := next(t, p); lease.Request.Out != req.Out {
		t.Errorf("the worker pulled %+v", lease.Request)
	} else {
		complete(t, store, lease)
	}
	wantMade(t, ended, req.Out)
	info, err := stream.Info(t.Context())
	if err != nil || info.State.Msgs != 1 {
		t.Errorf("of the other version's requests %d are left (%v), want 1", info.State.Msgs, err)
	}
}
