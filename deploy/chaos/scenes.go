package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/winnow-video/winnow/deploy/chaos/cluster"
)

// scene is one kind of trouble.
type scene struct {
	name  string
	does  string
	hosts []string                                    // of which each strike takes one
	find  func(context.Context, *run) (string, error) // or this tells which, when it comes to it
	away  span
	queue bool                                      // strike when requests have piled up and many are in flight
	play  func(context.Context, *run, strike) error // returns when what was struck is back
}

var scenes = []scene{
	{name: "worker", does: "kill -9 of a winnow worker", hosts: cluster.CPU, away: shortly, play: killed},
	{name: "decode", does: "kill -9 of a winnow-decode while it decodes", hosts: cluster.CPU, away: span{}, play: func(ctx context.Context, r *run, s strike) error {
		ctx, cancel := context.WithTimeout(ctx, time.Minute) // the job may end meanwhile
		defer cancel()
		return r.cluster.KillOne(ctx, s.host, "winnow-decode")
	}},
	{name: "infer", does: "kill -9 of a winnow-infer", hosts: cluster.Infer, away: shortly, queue: true, play: killed},
	{name: "client", does: "kill -9 of winnow submit, and of winnow watch", hosts: []string{cluster.Client}, away: span{100 * time.Millisecond, 3 * time.Second}, play: func(_ context.Context, r *run, s strike) error {
		r.cluster.Kill(s.host)
		return nil
	}},
	{name: "nats", does: "kill -9 of the NATS server that leads the queue's stream", find: func(ctx context.Context, r *run) (string, error) {
		return r.queue.leader(ctx)
	}, away: shortly, play: killed},
	{name: "s3", does: "S3 away for 30 s: killed, or its cable pulled", hosts: []string{"s3"}, away: span{30 * time.Second, 30 * time.Second}, play: away},
	{name: "temporal", does: "kill -9 of Temporal's server", hosts: []string{"temporal"}, away: shortly, play: killed},
	{name: "postgres", does: "kill -9 of PostgreSQL", hosts: []string{"postgres"}, away: shortly, play: killed},
	{name: "cut", does: "an infer host cut off for a minute", hosts: cluster.Infer, away: span{time.Minute, time.Minute}, queue: true, play: cut},
	{name: "disk", does: "the disk of a --cache full for a while", hosts: slices.Concat(cluster.CPU, cluster.Infer), away: span{10 * time.Second, 30 * time.Second}, play: func(ctx context.Context, r *run, s strike) error {
		if err := r.cluster.FillCache(s.host); err != nil {
			return err
		}
		return later(ctx, s.away, func() error { return r.cluster.FreeCache(s.host) })
	}},
}

// shortly is what a supervisor takes to start a program again.
var shortly = span{time.Second, 8 * time.Second}

func sceneOf(name string) (scene, bool) {
	i := slices.IndexFunc(scenes, func(s scene) bool { return s.name == name })
	if i < 0 {
		return scene{}, false
	}
	return scenes[i], true
}

// killed kills a host's program, and starts it again.
func killed(ctx context.Context, r *run, s strike) error {
	r.cluster.Kill(s.host)
	return later(ctx, s.away, func() error { return r.cluster.Start(ctx, s.host) })
}

// cut pulls a host's cable, and plugs it in again.
func cut(ctx context.Context, r *run, s strike) error {
	if err := r.cluster.Cut(ctx, s.host); err != nil {
		return err
	}
	return later(ctx, s.away, func() error { return r.cluster.Mend(ctx, s.host) })
}

func away(ctx context.Context, r *run, s strike) error {
	if s.silent {
		return cut(ctx, r, s)
	}
	return killed(ctx, r, s)
}

// later does it after a while.
func later(ctx context.Context, after time.Duration, it func() error) error {
	select {
	case <-ctx.Done():
		return fmt.Errorf("interrupted: %w", ctx.Err())
	case <-time.After(after):
		return it()
	}
}
