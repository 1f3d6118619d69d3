package workers

import (
	"math"
	"testing"

	"github.com/winnow-video/winnow/infer/tensor"
	"github.com/winnow-video/winnow/workflows/job"
)

// Tokens that are no numbers fail the questions about their video, however many
// they are: a single one's selection finds it out by itself.
func TestTokensThatAreNoNumbers(t *testing.T) {
	t.Parallel()
	r := newRig(t, startShared(t))
	r.video(t, "one.mp4", 1)
	r.video(t, "three.mp4", 3)
	r.oracle.spoil = func(tokens tensor.Dense[tensor.Float16]) {
		tokens.Row(1)[5] = tensor.ToFloat16(float32(math.NaN()))
	}
	r.oracle.start(t)
	r.start(t)
	r.wait(t)
	r.wantEnds(t, map[string]job.Code{"one.mp4": job.ModelNotFinite, "three.mp4": job.ModelNotFinite})
}
