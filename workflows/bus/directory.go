package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/winnow-video/winnow/workflows/job"
)

// Advertise keeps w in the directory until ctx ends, then takes it out. While
// NATS is away it goes on trying: the entry comes back with the connection.
func (b *Bus) Advertise(ctx context.Context, w Worker) error {
	w.V = Version
	text, err := json.Marshal(w)
	if err != nil {
		return fmt.Errorf("advertise %s: %w", w.Name, err)
	}
	return b.list(ctx, entry{bucket: workersBucket(b.config), key: w.key(), name: w.Name, text: text})
}

// entry is one of a bucket that forgets who falls silent.
type entry struct {
	bucket    jetstream.KeyValueConfig
	key, name string
	text      []byte
}

// list keeps e in its bucket until ctx ends, then takes it out.
func (b *Bus) list(ctx context.Context, e entry) error {
	refresh := time.NewTicker(b.config.WorkerTTL / 3)
	defer refresh.Stop()
	for {
		if err := b.enter(ctx, e); err != nil && ctx.Err() == nil {
			b.config.Logger.Warn("not listed", "bucket", e.bucket.Bucket, "name", e.name, "error", err)
		}
		select {
		case <-ctx.Done():
			return b.leave(e)
		case <-refresh.C:
		}
	}
}

// enter writes the entry, in a bucket made anew where somebody deleted it.
func (b *Bus) enter(ctx context.Context, e entry) error {
	ctx, cancel := context.WithTimeout(ctx, b.config.WorkerTTL/3)
	defer cancel()
	bucket, err := b.js.KeyValue(ctx, e.bucket.Bucket)
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		bucket, err = b.js.CreateKeyValue(ctx, e.bucket)
	}
	if err != nil {
		return err
	}
	_, err = bucket.Put(ctx, e.key, e.text)
	return err
}

func (b *Bus) leave(e entry) error {
	ctx, cancel := context.WithTimeout(context.Background(), drainLimit)
	defer cancel()
	bucket, err := b.js.KeyValue(ctx, e.bucket.Bucket)
	if err == nil {
		err = bucket.Delete(ctx, e.key)
	}
	if err != nil {
		return fmt.Errorf("take %s out of %s: %w", e.name, e.bucket.Bucket, unavailable(err))
	}
	return nil
}

// Workers lists who serves what, by bundle and name.
func (b *Bus) Workers(ctx context.Context) ([]Worker, error) {
	workers, err := b.workers(ctx, jetstream.AllKeys)
	if err != nil {
		return nil, fmt.Errorf("directory of workers: %w", unavailable(err))
	}
	slices.SortFunc(workers, func(a, b Worker) int {
		if a.key() < b.key() {
			return -1
		}
		return 1
	})
	return workers, nil
}

func (b *Bus) workers(ctx context.Context, keys string) ([]Worker, error) {
	bucket, err := b.js.KeyValue(ctx, WorkersBucket)
	if err != nil {
		return nil, err
	}
	entries, err := bucket.Watch(ctx, keys, jetstream.IgnoreDeletes())
	if err != nil {
		return nil, err
	}
	defer entries.Stop()
	var workers []Worker
	for {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case entry := <-entries.Updates():
			if entry == nil { // the end of what is there
				return workers, nil
			}
			if w, known := readWorker(entry.Value()); known {
				workers = append(workers, w)
			}
		}
	}
}

func readWorker(text []byte) (Worker, bool) {
	var w Worker
	err := json.Unmarshal(text, &w)
	return w, err == nil && w.V == Version
}

var notInKeys = regexp.MustCompile(`[^-_=a-zA-Z0-9]`)

func (w Worker) key() string {
	return short(w.Bundle) + "." + notInKeys.ReplaceAllString(w.Name, "_")
}

// directorySnapshot is who served a bundle a moment ago.
type directorySnapshot struct {
	taken   time.Time
	workers []Worker
}

// served says whether anybody serves a stage of a bundle.
func (b *Bus) served(ctx context.Context, stage job.Stage, bundle string) (bool, error) {
	workers, err := b.serversOf(ctx, bundle)
	return slices.ContainsFunc(workers, func(w Worker) bool { return slices.Contains(w.Stages, stage) }), err
}

// serversOf lists who serves a bundle. Waiters by the thousand ask it, so an
// answer is good for a sixth of the TTL.
func (b *Bus) serversOf(ctx context.Context, bundle string) ([]Worker, error) {
	b.mu.Lock()
	snapshot := b.serving[bundle]
	b.mu.Unlock()
	if time.Since(snapshot.taken) > b.config.WorkerTTL/6 {
		ctx, cancel := context.WithTimeout(ctx, publishLimit)
		defer cancel()
		workers, err := b.workers(ctx, short(bundle)+".*")
		if err != nil {
			return nil, unavailable(err)
		}
		workers = slices.DeleteFunc(workers, func(w Worker) bool { return w.Bundle != bundle })
		snapshot = directorySnapshot{taken: time.Now(), workers: workers}
		b.mu.Lock()
		b.serving[bundle] = snapshot
		b.mu.Unlock()
	}
	return snapshot.workers, nil
}
