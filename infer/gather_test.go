package infer

import (
	"runtime"
	"testing"
	"time"
	"weak"

	"github.com/winnow-video/winnow/workflows/bus"
)

func TestBatch(t *testing.T) {
	t.Parallel()
	const wait = 10 * time.Second
	// ask is a question of so many rows, that came so many seconds in.
	ask := func(rows, since int) asking { return asking{lease: &bus.Lease{}, rows: rows, since: moment(since)} }
	alone := ask(5, 0)
	alone.lease = &bus.Lease{Solo: true}
	now := moment(4)
	for name, test := range map[string]struct {
		queue    queue
		want     int
		patience time.Duration
	}{
		"none":                     {nil, 0, 0},
		"one":                      {queue{ask(5, 1)}, 1, 7 * time.Second},
		"the first one's time":     {queue{ask(5, 1), ask(5, 3)}, 2, 7 * time.Second},
		"as many as may":           {queue{ask(5, 3), ask(5, 3), ask(5, 3)}, 3, 0},
		"more than may":            {queue{ask(5, 3), ask(5, 3), ask(5, 3), ask(5, 3)}, 3, 0},
		"as many rows as may":      {queue{ask(60, 3), ask(40, 3)}, 2, 0},
		"more rows than may":       {queue{ask(60, 3), ask(41, 3)}, 1, 0},
		"one of more rows":         {queue{ask(101, 3), ask(1, 3)}, 1, 0},
		"rows that nobody knows":   {queue{ask(0, 2), ask(0, 2)}, 2, 8 * time.Second},
		"one that has waited":      {queue{ask(5, -6)}, 1, 0},
		"one that is to run alone": {queue{alone}, 1, 0},
	} {
		batch, patience := test.queue.batch(3, 100, wait, now)
		if len(batch) != test.want || patience != test.patience {
			t.Errorf("%s: %d questions after %v, want %d after %v", name, len(batch), patience, test.want, test.patience)
		}
	}
	if batch, patience := (queue{ask(5, 4)}).batch(3, 100, 0, now); len(batch) != 1 || patience > 0 {
		t.Errorf("without a wait: %d questions after %v", len(batch), patience)
	}
}

// Those that run apart are taken several at a time all the same.
func TestWants(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ batch, apart, waiting, want int }{
		{16, 0, 0, 16}, {16, 0, 15, 1}, {16, 0, 16, 0},
		{16, 64, 0, 16}, {16, 64, 8, 8}, {16, 64, 9, 0}, {16, 64, 16, 0},
		{1, 64, 0, 1}, {1, 64, 1, 0},
	} {
		s := &Server{Batch: test.batch, Apart: test.apart}
		if got := s.wants(test.waiting); got != test.want {
			t.Errorf("%+v: %d", test, got)
		}
	}
}

// Questions that run are not held by those that wait still.
func TestGatherLetsGo(t *testing.T) {
	t.Parallel()
	s := &Server{Batch: 3, Apart: 1}
	room, fetched, batches := make(chan int), make(chan []asking), make(chan work)
	go s.gather(t.Context(), room, fetched, batches)
	if n := <-room; n != 3 {
		t.Errorf("%d are taken, want 3", n)
	}
	one := func() asking { return asking{lease: &bus.Lease{}, question: &Question{}} }
	fetched <- []asking{one(), one(), one()}
	w := <-batches
	ran := weak.Make(w.questions[0])
	w = work{}
	<-batches // by now the first is dealt with
	runtime.GC()
	if ran.Value() != nil {
		t.Error("a question that ran is held")
	}
	<-batches
}

// Questions run before clips that were fetched earlier.
func TestWorks(t *testing.T) {
	t.Parallel()
	batches, clips, taken := make(chan work, 2), make(chan work, 2), make(chan struct{})
	clip, batch := work{waiting: moment(1)}, work{waiting: moment(2)}
	clips <- clip
	clips <- clip
	batches <- batch
	batches <- batch
	var ran []time.Time
	for w := range works(batches, clips, taken) {
		if ran = append(ran, w.waiting); len(ran) == 4 {
			close(taken)
		}
	}
	for i, want := range []work{batch, batch, clip, clip} {
		if !ran[i].Equal(want.waiting) {
			t.Errorf("work %d was published at %v, want %v", i, ran[i], want.waiting)
		}
	}
}
