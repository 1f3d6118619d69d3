package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/winnow-video/winnow/workflows/bus"
	"github.com/winnow-video/winnow/workflows/job"
	"github.com/winnow-video/winnow/workflows/wait"
)

// queue looks at the stream of requests.
type queue struct {
	conn *nats.Conn
	js   jetstream.JetStream
}

func openQueue(conn *nats.Conn) (*queue, error) {
	js, err := jetstream.New(conn)
	return &queue{conn, js}, err
}

// leader is the server that leads the stream.
func (q *queue) leader(ctx context.Context) (string, error) {
	stream, err := q.js.Stream(ctx, bus.InferStream)
	if err != nil {
		return "", err
	}
	info := stream.CachedInfo()
	if info.Cluster == nil || info.Cluster.Leader == "" {
		return "", errors.New("stream " + bus.InferStream + " has no leader")
	}
	return info.Cluster.Leader, nil
}

// idleLimit is how long a strike waits for something to hit.
const idleLimit = 10 * time.Second

// awaitHeld waits until so many encodes are held, though not for ever, and says how many are.
func (q *queue) awaitHeld(ctx context.Context, want int) (int, error) {
	for began := time.Now(); ; {
		held, err := q.encodesHeld(ctx)
		if err != nil || held >= want || time.Since(began) > idleLimit {
			return held, err
		}
		if err := wait.Sleep(ctx, 10*time.Millisecond); err != nil {
			return 0, err
		}
	}
}

// encodesHeld is how many encodes winnow-infer has been given and has not ended.
func (q *queue) encodesHeld(ctx context.Context) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	stream, err := q.js.Stream(ctx, bus.InferStream)
	if err != nil {
		return 0, fmt.Errorf("look at the queue: %w", err)
	}
	held := 0
	consumers := stream.ListConsumers(ctx)
	for c := range consumers.Info() {
		if strings.Contains(c.Name, string(job.StageEncode)) {
			held += c.NumAckPending
		}
	}
	return held, consumers.Err()
}
