package infer

import (
	"context"
	"testing"
	"time"

	"github.com/winnow-video/winnow/infer/tensor"
	"github.com/winnow-video/winnow/workflows/bus"
)

// slowly is a tower, and what answers, that say that they have begun and wait to end.
type slowly struct{ began, end chan bool }

func (slowly) Close() error { return nil }

func (slowly) Rows(*Question) int { return 0 }

func (s slowly) Run(_, _ *tensor.File) error {
	s.began <- true
	<-s.end
	return nil
}

func (s slowly) Answer(_ context.Context, questions []*Question) []Outcome {
	s.began <- true
	<-s.end
	return make([]Outcome, len(questions))
}

// Where questions run apart, one clip runs beside them and no other is taken:
// what waits for the tower holds up no question.
func TestOneClipRunsBesideQuestions(t *testing.T) {
	t.Parallel()
	tower, model := slowly{began: make(chan bool), end: make(chan bool)}, slowly{began: make(chan bool), end: make(chan bool)}
	s := &Server{
		Apart: 2, Encoder: &Encoder{tower: tower, size: 2, tokens: 1, width: 1}, Answerer: model,
		Limit: time.Minute, Overdue: func() { t.Error("overdue") }, Watch: unwatched{},
	}
	batches, clips, taken, ended := make(chan work), make(chan work), make(chan struct{}), make(chan made, 9)
	over := make(chan bool)
	go func() { s.runAll(t.Context(), batches, clips, taken, ended); close(over) }()
	clip := &tensor.File{}
	tensor.Put(clip, "frames", tensor.New[uint8](1, 2, 2, 3))
	encode := func() work { return work{leases: []*bus.Lease{{}}, clip: clip} }
	answer := func() work { return work{leases: []*bus.Lease{{}}, questions: []*Question{{}}} }
	clips <- encode()
	<-tower.began
	full := func(batches chan<- work) {
		select {
		case clips <- encode():
			t.Fatal("a second clip is taken while the first one runs")
		case batches <- answer():
			t.Fatalf("more than %d questions run", s.Apart)
		case <-time.After(50 * time.Millisecond):
		}
	}
	full(nil)
	for range s.Apart {
		batches <- answer()
		<-model.began
	}
	full(batches)
	model.end <- true
	batches <- answer()
	<-model.began
	close(model.end)
	close(tower.end)
	close(taken)
	<-over
	if len(ended) != 4 {
		t.Errorf("%d works ended, want 4", len(ended))
	}
}
