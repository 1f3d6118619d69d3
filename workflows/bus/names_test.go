package bus_test

import (
	"testing"

	"github.com/winnow-video/winnow/workflows/artifact"
	"github.com/winnow-video/winnow/workflows/bus"
	"github.com/winnow-video/winnow/workflows/job"
)

// What subjects and durables are called is part of what versions of Winnow, and
// those who scale and watch it, agree upon.
func TestNames(t *testing.T) {
	t.Parallel()
	key := artifact.Key("v1/x/tokens/y.safetensors")
	class := bus.Request{Bundle: "0123456789abcdef", Encode: &bus.EncodeRequest{}}.Class(2)
	id, err := job.ParseID("shapes-0123abcd.1")
	if err != nil {
		t.Fatal(err)
	}
	for got, want := range map[string]string{
		class.Subject(key):   "winnow.infer.v1.encode.0123456789ab.p2." + key.Hash(),
		class.Filter():       "winnow.infer.v1.encode.0123456789ab.p2.*",
		class.Durable():      "v1-encode-0123456789ab-p2",
		bus.DoneSubject(key): "winnow.done.v1." + key.Hash(),
		bus.InferStream:      "WINNOW_INFER",
		bus.EventStream:      "WINNOW_EVENTS",
		bus.WorkersBucket:    "WINNOW_WORKERS",
		bus.CallersBucket:    "WINNOW_CALLERS",
		bus.PoisonBucket:     "WINNOW_POISON",
		bus.JobEvents(id):    "winnow.events.v1." + id.Subject() + ".>",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
