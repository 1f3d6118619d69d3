package infer

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/winnow-video/winnow/infer/tensor"
	"github.com/winnow-video/winnow/workflows/artifact"
	"github.com/winnow-video/winnow/workflows/artifact/memstore"
	"github.com/winnow-video/winnow/workflows/bus"
	"github.com/winnow-video/winnow/workflows/job"
)

// Tokens are kept by what encoded them: another provider's are not made.
func TestClipOfAnotherProvider(t *testing.T) {
	t.Parallel()
	s := &Server{Provider: "cpu"}
	_, failure := s.clip(t.Context(), &bus.EncodeRequest{Clip: "v1/x/clip/y.safetensors", Provider: "cuda"})
	if failure == nil || failure.Code != job.CapacityNoWorker {
		t.Errorf("%v, want %s", failure, job.CapacityNoWorker)
	}
}

// read is a store that notes what is read.
type read struct {
	artifact.Store
	mu    sync.Mutex
	times map[artifact.Key]int
}

func (r *read) Get(ctx context.Context, key artifact.Key) ([]byte, error) {
	r.mu.Lock()
	r.times[key]++
	r.mu.Unlock()
	return r.Store.Get(ctx, key)
}

func (r *read) put(t *testing.T, key artifact.Key, f *tensor.File) {
	t.Helper()
	body, err := tensor.Body(f)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Put(t.Context(), key, body, artifact.Replace); err != nil {
		t.Fatal(err)
	}
}

// Questions that are taken together read what they share once, the clip too.
func TestQuestionsReadOnce(t *testing.T) {
	t.Parallel()
	store := &read{Store: memstore.New(), times: map[artifact.Key]int{}}
	const page, clip = artifact.Key("jobs/j/pages/0.jsonl"), artifact.Key("v1/s/clip/c.safetensors")
	frames := &tensor.File{}
	tensor.Put(frames, "frames", tensor.New[uint8](3, 8, 8, 3))
	store.put(t, clip, frames)
	if _, err := store.Put(t.Context(), page, strings.NewReader("{}\n"), artifact.Replace); err != nil {
		t.Fatal(err)
	}
	want := map[artifact.Key]int{page: 1, clip: 1}
	var leases []*bus.Lease
	for i := range 6 {
		kept := artifact.Key(fmt.Sprintf("v1/s/kept/%d.safetensors", i/3))
		store.put(t, kept, keptFile([]int32{0, 1, 2}, 3))
		want[kept] = 1
		leases = append(leases, &bus.Lease{Request: bus.Request{Answer: &bus.AnswerRequest{Page: page, Kept: kept, Clip: clip}}})
	}
	all := (&Server{Store: store, Answerer: &Pictures{}}).questions(t.Context(), leases)
	if diff := cmp.Diff(want, store.times); diff != "" {
		t.Errorf("reads (-want +got):\n%s", diff)
	}
	for i, a := range all {
		if len(a.question.pictures.Data) == 0 {
			t.Errorf("question %d sees nothing", i)
		}
		if same := a.question.projection == all[0].question.projection; same != (i < 3) {
			t.Errorf("question %d shares rows with the first: %v", i, same)
		}
	}
}
