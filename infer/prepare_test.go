package infer

import (
	"testing"

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
