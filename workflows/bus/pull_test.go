package bus_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/winnow-video/winnow/workflows/artifact/memstore"
	"github.com/winnow-video/winnow/workflows/bus"
	"github.com/winnow-video/winnow/workflows/job"
)

// A worker with nothing to do looks at the stream and asks no consumer.
func TestIdleWorkerAsksNoConsumer(t *testing.T) {
	t.Parallel()
	conn, _ := raw(t)
	store := memstore.New()
	b := connect(t)
	p, _ := pull(t, "w")
	for i, req := range []bus.Request{encode(t, "e"), answer(t, "a")} { // which makes their consumers
		ended := await(t, b, store, req, i)
		complete(t, store, next(t, p))
		wantMade(t, ended, req.Out)
	}
	idle, stop := context.WithTimeout(t.Context(), 2500*time.Millisecond) // and so a few looks
	defer stop()
	_, _ = p.Next(idle, 4) // what was announced is asked for again for a while
	var asked []*nats.Subscription
	for i, req := range []bus.Request{encode(t, ""), answer(t, "")} {
		s, err := conn.SubscribeSync(fmt.Sprintf("$JS.API.CONSUMER.MSG.NEXT.%s.%s", bus.InferStream, req.Class(i).Durable()))
		if err != nil {
			t.Fatal(err)
		}
		asked = append(asked, s)
	}
	looks, err := conn.SubscribeSync("$JS.API.STREAM.INFO." + bus.InferStream)
	if err != nil {
		t.Fatal(err)
	}
	idle, stop = context.WithTimeout(t.Context(), 2500*time.Millisecond)
	defer stop()
	_, _ = p.Next(idle, 4)
	for _, s := range asked {
		if n, _, err := s.Pending(); err != nil || n > 0 {
			t.Errorf("%s was asked %d times (%v)", s.Subject, n, err)
		}
	}
	if n, _, err := looks.Pending(); err != nil || n == 0 {
		t.Errorf("%d looks at the stream (%v)", n, err)
	}
	req := encode(t, "last")
	ended := await(t, b, store, req, 2)
	complete(t, store, next(t, p))
	wantMade(t, ended, req.Out)
}

// Requests of one stage may be asked for while another goroutine waits for those of the other.
func TestNextByStage(t *testing.T) {
	t.Parallel()
	store := memstore.New()
	b := connect(t)
	p, _ := pull(t, "w")
	got := map[job.Stage]chan *bus.Lease{job.StageEncode: make(chan *bus.Lease, 1), job.StageAnswer: make(chan *bus.Lease, 1)}
	for stage, c := range got {
		go func() {
			if leases, err := p.Next(t.Context(), 8, stage); err == nil {
				c <- leases[0]
			}
		}()
	}
	for stage, req := range map[job.Stage]bus.Request{job.StageAnswer: answer(t, "a"), job.StageEncode: encode(t, "e")} {
		ended := await(t, b, store, req, 1)
		lease := <-got[stage]
		if lease.Request.Out != req.Out {
			t.Errorf("who waits for %s got %s", stage, lease.Request.Out)
		}
		complete(t, store, lease)
		wantMade(t, ended, req.Out)
	}
}
