package bus_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/winnow-video/winnow/workflows/artifact/memstore"
	"github.com/winnow-video/winnow/workflows/bus"
	"github.com/winnow-video/winnow/workflows/stack/stacktest"
)

// What a server that lost its last writes comes up with: the stream holds a
// request that its consumer has had acknowledged. It is made all the same.
func TestAcknowledgedRequestThatStayed(t *testing.T) {
	t.Parallel()
	state := t.TempDir()
	messages := filepath.Join(state, "nats", "jetstream", "$G", "streams", bus.InferStream, "msgs")
	req, store := encode(t, "stayed"), memstore.New()

	servers := stacktest.StartIn(t, state)
	asking := connectTo(t, fast(servers.Services.NATS))
	await(t, asking, store, req, 1)
	puller, err := asking.Pull(worker(t, "first"))
	if err != nil {
		t.Fatal(err)
	}
	lease := next(t, puller)
	before := filepath.Join(t.TempDir(), "msgs")
	if err := os.CopyFS(before, os.DirFS(messages)); err != nil {
		t.Fatal(err)
	}
	if err := lease.Finish(t.Context(), nil); err != nil { // without the object, so that it is wanted still
		t.Fatal(err)
	}
	asking.Close()
	if err := servers.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(messages); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(messages, os.DirFS(before)); err != nil {
		t.Fatal(err)
	}

	again := connectTo(t, fast(stacktest.StartIn(t, state).Services.NATS))
	ended := await(t, again, store, req, 1)
	if puller, err = again.Pull(worker(t, "second")); err != nil {
		t.Fatal(err)
	}
	complete(t, store, next(t, puller))
	wantMade(t, ended, req.Out)
}
