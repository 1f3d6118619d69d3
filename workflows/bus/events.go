package bus

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/winnow-video/winnow/workflows/job"
)

// Tell publishes an event. It is best effort: who watches a job loses nothing
// but news when it does not arrive.
func (b *Bus) Tell(e job.Event) {
	e.V = job.Version
	id, err := job.ParseID(e.Job)
	if err == nil {
		err = b.publish(EventSubject(id, e.Kind), e)
	}
	if err != nil {
		b.config.Logger.Warn("event not told", "job", e.Job, "error", err)
	}
}

// Follow yields a job's events from the first that is kept, and goes on with
// what happens, until ctx ends. An error ends it too.
func (b *Bus) Follow(ctx context.Context, id job.ID) iter.Seq2[job.Event, error] {
	return func(yield func(job.Event, error) bool) {
		messages, err := b.events(ctx, id)
		if err != nil {
			yield(job.Event{}, fmt.Errorf("events of %s: %w", id, unavailable(err)))
			return
		}
		defer context.AfterFunc(ctx, messages.Stop)()
		defer messages.Stop()
		for {
			m, err := messages.Next()
			if ctx.Err() != nil {
				return
			}
			if err != nil {
				yield(job.Event{}, fmt.Errorf("events of %s: %w", id, unavailable(err)))
				return
			}
			if e, known := readEvent(m.Data()); known && !yield(e, nil) {
				return
			}
		}
	}
}

// events is read in order; it is opened again by itself where the connection breaks.
func (b *Bus) events(ctx context.Context, id job.ID) (jetstream.MessagesContext, error) {
	config := jetstream.OrderedConsumerConfig{FilterSubjects: []string{JobEvents(id)}}
	consumer, err := b.js.OrderedConsumer(ctx, EventStream, config)
	if err != nil {
		return nil, err
	}
	return consumer.Messages()
}

// readEvent passes over events of another version: a newer program tells of a job it runs.
func readEvent(text []byte) (job.Event, bool) {
	var e job.Event
	err := json.Unmarshal(text, &e)
	return e, err == nil && e.V == job.Version
}

// publish sends a message that nobody has to confirm.
func (b *Bus) publish(subject string, message any) error {
	text, err := json.Marshal(message)
	if err != nil {
		return fmt.Errorf("message to %s: %w", subject, err)
	}
	return b.conn.Publish(subject, text)
}
