package bus

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// inferStream is the queue. Single-flight across jobs rests on it holding one
// message a subject and refusing the second. What nobody waits for any more
// ages out; who still waits asks again.
func inferStream(c Config) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name:                 InferStream,
		Description:          "Winnow: inference requests, one message a subject",
		Subjects:             []string{allRequests()},
		Retention:            jetstream.WorkQueuePolicy,
		Discard:              jetstream.DiscardNew,
		DiscardNewPerSubject: true,
		MaxMsgsPerSubject:    1,
		MaxAge:               24 * time.Hour,
		Storage:              jetstream.FileStorage,
		Replicas:             c.Replicas,
	}
}

// eventStream is what watchers replay. It is news: records are in the store.
func eventStream(c Config) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name:        EventStream,
		Description: "Winnow: what happens in jobs, for whoever watches",
		Subjects:    []string{allEvents()},
		Retention:   jetstream.LimitsPolicy,
		Discard:     jetstream.DiscardOld,
		MaxAge:      3 * 24 * time.Hour,
		MaxBytes:    256 << 20,
		Storage:     jetstream.FileStorage,
		Replicas:    c.Replicas,
	}
}

// workersBucket forgets workers that fell silent.
func workersBucket(c Config) jetstream.KeyValueConfig {
	return jetstream.KeyValueConfig{
		Bucket: WorkersBucket, Description: "Winnow: which worker serves which bundle",
		TTL: c.WorkerTTL, Storage: jetstream.MemoryStorage, Replicas: c.Replicas,
	}
}

// callersBucket forgets processes that fell silent.
func callersBucket(c Config) jetstream.KeyValueConfig {
	return jetstream.KeyValueConfig{
		Bucket: CallersBucket, Description: "Winnow: which processes ask for inference",
		TTL: c.WorkerTTL, Storage: jetstream.MemoryStorage, Replicas: c.Replicas,
	}
}

// poisonBucket outlives any worker, and forgets requests that nobody repeats.
func poisonBucket(c Config) jetstream.KeyValueConfig {
	return jetstream.KeyValueConfig{
		Bucket: PoisonBucket, Description: "Winnow: solo starts of requests that have not ended",
		TTL: 24 * time.Hour, Storage: jetstream.FileStorage, Replicas: c.Replicas,
	}
}

// consumer is the durable of a class. Redelivery is not bounded by the server:
// the poison mark does that, and ends the request with a reason.
func (c Class) consumer(config Config) jetstream.ConsumerConfig {
	return jetstream.ConsumerConfig{
		Durable:       c.Durable(),
		FilterSubject: c.Filter(),
		AckPolicy:     jetstream.AckExplicitPolicy,
		AckWait:       config.AckWait,
		MaxDeliver:    -1,
		MaxAckPending: -1,
	}
}

// ensureStreams makes what is absent and refuses what is otherwise.
func (b *Bus) ensureStreams(ctx context.Context) error {
	for _, stream := range streams(b.config) {
		if err := b.ensureStream(ctx, stream); err != nil {
			return err
		}
	}
	for _, bucket := range buckets(b.config) {
		if err := b.ensureBucket(ctx, bucket); err != nil {
			return err
		}
	}
	return nil
}

func streams(c Config) []jetstream.StreamConfig {
	return []jetstream.StreamConfig{inferStream(c), eventStream(c)}
}

func buckets(c Config) []jetstream.KeyValueConfig {
	return []jetstream.KeyValueConfig{workersBucket(c), callersBucket(c), poisonBucket(c)}
}

func (b *Bus) ensureStream(ctx context.Context, want jetstream.StreamConfig) error {
	stream, err := b.js.Stream(ctx, want.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		stream, err = b.js.CreateStream(ctx, want)
		if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) { // somebody was faster, with other settings
			stream, err = b.js.Stream(ctx, want.Name)
		}
	}
	if err != nil {
		return fmt.Errorf("stream %s: %w", want.Name, err)
	}
	return refuse("stream "+want.Name, streamSettings(stream.CachedInfo().Config), streamSettings(want))
}

func (b *Bus) ensureBucket(ctx context.Context, want jetstream.KeyValueConfig) error {
	bucket, err := b.js.KeyValue(ctx, want.Bucket)
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		bucket, err = b.js.CreateKeyValue(ctx, want)
		if errors.Is(err, jetstream.ErrBucketExists) {
			bucket, err = b.js.KeyValue(ctx, want.Bucket)
		}
	}
	if err != nil {
		return fmt.Errorf("bucket %s: %w", want.Bucket, err)
	}
	return differs(ctx, bucket, want)
}

// differs returns the differences of a bucket, if there are any.
func differs(ctx context.Context, bucket jetstream.KeyValue, want jetstream.KeyValueConfig) error {
	status, err := bucket.Status(ctx)
	if err != nil {
		return fmt.Errorf("bucket %s: %w", want.Bucket, err)
	}
	return refuse("bucket "+want.Bucket, []setting{{"ttl", status.TTL()}}, []setting{{"ttl", want.TTL}})
}

func (b *Bus) ensureConsumer(ctx context.Context, class Class) error {
	want := class.consumer(b.config)
	consumer, err := b.js.CreateConsumer(ctx, InferStream, want)
	if errors.Is(err, jetstream.ErrConsumerExists) {
		consumer, err = b.js.Consumer(ctx, InferStream, want.Durable)
	}
	if err != nil {
		return fmt.Errorf("consumer %s: %w", want.Durable, err)
	}
	err = refuse("consumer "+want.Durable, consumerSettings(consumer.CachedInfo().Config), consumerSettings(want))
	if err == nil {
		b.mu.Lock()
		b.ensured[class] = true
		b.mu.Unlock()
	}
	return err
}

// knows says whether this Bus has seen the class's durable.
func (b *Bus) knows(class Class) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.ensured[class]
}

// setting is one property that Winnow relies on.
type setting struct {
	name  string
	value any
}

// streamSettings leaves out replicas and placement: they are the operator's.
func streamSettings(c jetstream.StreamConfig) []setting {
	return []setting{
		{"subjects", c.Subjects},
		{"retention", c.Retention},
		{"discard", c.Discard},
		{"discard_new_per_subject", c.DiscardNewPerSubject},
		{"max_msgs_per_subject", max(c.MaxMsgsPerSubject, 0)}, // the server answers -1 for no bound
		{"max_age", c.MaxAge},
		{"storage", c.Storage},
	}
}

func consumerSettings(c jetstream.ConsumerConfig) []setting {
	return []setting{
		{"filter_subject", c.FilterSubject},
		{"ack_policy", c.AckPolicy},
		{"ack_wait", c.AckWait},
		{"max_deliver", c.MaxDeliver},
		{"max_ack_pending", c.MaxAckPending},
	}
}

// ErrSettings is the error of a stream, bucket or consumer with other settings
// than Winnow's. It is never changed: others may rely on it.
var ErrSettings = errors.New("has other settings than Winnow needs")

// refuse returns the differences, if there are any.
func refuse(what string, got, want []setting) error {
	var diffs []string
	for i := range want {
		g, w := fmt.Sprint(got[i].value), fmt.Sprint(want[i].value)
		if g != w {
			diffs = append(diffs, fmt.Sprintf("%s is %s, want %s", want[i].name, g, w))
		}
	}
	if len(diffs) == 0 {
		return nil
	}
	return fmt.Errorf("%s %w: %s: change it, or delete it while no job runs, and it is made anew", what, ErrSettings, strings.Join(diffs, "; "))
}
