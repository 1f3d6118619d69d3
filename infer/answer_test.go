package infer

import (
	"testing"

	"github.com/winnow-video/winnow/infer/tensor"
	"github.com/winnow-video/winnow/workflows/job"
)

// short is a projector that loses a row.
type short struct{ width int }

func (s short) Close() error { return nil }

func (s short) Run(in, out *tensor.File) error {
	n := in.Tensors["tokens"].Shape[0] - 1
	tensor.Put(out, "rows", tensor.New[float32](n, s.width))
	return nil
}

func TestProjectorLosesRow(t *testing.T) {
	t.Parallel()
	a := &Answerer{projector: short{width: 4}}
	_, err := a.project(tensor.New[tensor.Float16](3, 2), 4)
	if err == nil || job.AsFailure(job.StageAnswer, err).Code != job.ModelContract {
		t.Errorf("%v, want %s", err, job.ModelContract)
	}
}
