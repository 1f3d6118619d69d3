package infer

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/winnow-video/winnow/infer/tensor"
	"github.com/winnow-video/winnow/workflows/job"
)

// A prompt takes part with its length and with what may be said to it.
func TestSplit(t *testing.T) {
	t.Parallel()
	var prompts []*Prompt
	for _, lengths := range [][2]int{{30, 0}, {1, 1}, {2, 0}, {5, 0}, {1, 2}, {3, 2}} {
		p := &Prompt{Embeds: tensor.New[float32](lengths[0], 1), Generate: job.Generation{MaxTokens: lengths[1]}}
		prompts = append(prompts, p)
	}
	prompts[2].Generate = job.Generation{Mode: job.ModeScore, MaxTokens: 99} // nothing is said
	var got [][]int
	for _, batch := range split(prompts, 10) {
		var lengths []int
		for _, at := range batch {
			lengths = append(lengths, prompts[at].Len())
		}
		got = append(got, lengths)
	}
	if diff := cmp.Diff([][]int{{1, 2, 1}, {5, 3}, {30}}, got); diff != "" {
		t.Errorf("batches of at most 10 padded rows (-want +got):\n%s", diff)
	}
}

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
