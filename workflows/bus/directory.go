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
	refresh := time.NewTicker(b.config.WorkerTTL / 3)
	defer refresh.Stop()
	for {
		if err := b.enter(ctx, w, text); err != nil && ctx.Err() == nil {
			b.config.Logger.Warn("worker not advertised", "worker", w.Name, "error", err)
		}
		select {
		case <-ctx.Done():
			return b.leave(w)
		case <-refresh.C:
		}
	}
}

// enter writes the entry, in a bucket made anew where somebody deleted it.
func (b *Bus) enter(ctx context.Context, w Worker, entry []byte) error {
	ctx, cancel := context.WithTimeout(ctx, b.config.WorkerTTL/3)
	defer cancel()
	bucket, err := b.js.KeyValue(ctx, WorkersBucket)
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		bucket, err = b.js.CreateKeyValue(ctx, workersBucket(b.config))
	}
	if err != nil {
		return err
	}
	_, err = bucket.Put(ctx, w.key(), entry)
	return err
}

func (b *Bus) leave(w Worker) error {
	ctx, cancel := context.WithTimeout(context.Background(), drainLimit)
	defer cancel()
	bucket, err := b.js.KeyValue(ctx, WorkersBucket)
	if err == nil {
		err = bucket.Delete(ctx, w.key())
	}
	if err != nil {
		return fmt.Errorf("take %s out of the directory: %w", w.Name, unavailable(err))
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

// served says whether anybody serves a stage of a bundle. Waiters by the
// thousand ask it, so an answer is good for a sixth of the TTL.
func (b *Bus) served(ctx context.Context, stage job.Stage, bundle string) (bool, error) {
	b.mu.Lock()
	snapshot := b.serving[bundle]
	b.mu.Unlock()
	if time.Since(snapshot.taken) > b.config.WorkerTTL/6 {
		ctx, cancel := context.WithTimeout(ctx, publishLimit)
		defer cancel()
		workers, err := b.workers(ctx, short(bundle)+".*")
		if err != nil {
			return false, unavailable(err)
		}
		snapshot = directorySnapshot{taken: time.Now(), workers: workers}
		b.mu.Lock()
		b.serving[bundle] = snapshot
		b.mu.Unlock()
	}
	return slices.ContainsFunc(snapshot.workers, func(w Worker) bool {
		return w.Bundle == bundle && slices.Contains(w.Stages, stage)
	}), nil
}
