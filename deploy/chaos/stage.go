package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/winnow-video/winnow/deploy/chaos/cluster"
	"github.com/winnow-video/winnow/workflows/job"
)

// stage is the cluster on which scenes are played.
type stage struct {
	options  options
	manifest string
	cluster  *cluster.Cluster
	queue    *queue
	oracle   []job.Record // of the undisturbed job
}

// open starts the cluster. What it returns must be closed, also after an error.
func open(ctx context.Context, config cluster.Config, o options, manifest string) (*stage, error) {
	s := &stage{options: o, manifest: manifest}
	var err error
	if s.cluster, err = cluster.Open(ctx, config); err != nil {
		return s, err
	}
	conn, err := s.cluster.Queue()
	if err != nil {
		return s, err
	}
	s.queue, err = openQueue(conn)
	return s, err
}

func (s *stage) close() error {
	if s.queue != nil {
		s.queue.conn.Close()
	}
	return s.cluster.Close()
}

// clearUp ends what an earlier run left behind.
func clearUp(ctx context.Context, config cluster.Config) error {
	return cluster.Clear(ctx, config)
}

// play plays all scenes that were asked for and prints the table.
// A scene that cannot be played to its end is told as a violation of its job.
func (s *stage) play(ctx context.Context) error {
	outcomes, err := s.undisturbed(ctx)
	if err != nil {
		return err
	}
	for _, p := range s.options.plays() {
		one := s.disturbed(ctx, p)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		outcomes = append(outcomes, one)
		tell("%s\n%s", one, strings.Join(one.violations, "\n"))
	}
	fmt.Print(table(s.options, outcomes))
	return verdict(outcomes)
}

// undisturbed runs the job that the others are compared with, unless its records are at hand.
func (s *stage) undisturbed(ctx context.Context) ([]outcome, error) {
	if text, err := os.ReadFile(s.options.oracle); err == nil {
		s.oracle, err = job.ReadLines[job.Record](text)
		return nil, err
	}
	r := s.newRun("undisturbed")
	if err := r.play(ctx, nil); err != nil {
		return nil, fmt.Errorf("the undisturbed job: %w", err)
	}
	var err error
	if s.oracle, err = r.records(ctx); err != nil {
		return nil, err
	}
	one := r.audit(ctx)
	if len(one.violations) > 0 {
		return nil, fmt.Errorf("the undisturbed job is no measure for others: %s", one.violations[0])
	}
	return []outcome{one}, s.saveOracle()
}

func (s *stage) saveOracle() error {
	if s.options.oracle == "" {
		return nil
	}
	text, err := job.WriteLines(s.oracle)
	if err != nil {
		return err
	}
	return os.WriteFile(s.options.oracle, text, 0o644)
}

// disturbed runs a job that is struck.
func (s *stage) disturbed(ctx context.Context, p play) outcome {
	r := s.newRun(p.name)
	if err := r.play(ctx, p.strikes); err != nil {
		return outcome{scene: p.name, strikes: r.strikes, took: r.took, violations: []string{err.Error()}}
	}
	return r.audit(ctx)
}

func (s *stage) newRun(name string) *run {
	return &run{stage: s, name: name, bucket: "chaos-" + name}
}

// jobFile is the job that all runs do, under a name of its own each.
func (s *stage) jobFile(name string) (string, error) {
	path := filepath.Join(s.options.state, name+".yaml")
	text := fmt.Sprintf("name: %s\nmanifest: %s\nbundle: %s\nprune: {method: rediprune, keep: 0.15}\n", name, s.manifest, s.cluster.Bundle())
	return path, os.WriteFile(path, []byte(text), 0o644)
}

func tell(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

// verdict is an error unless nothing was violated.
func verdict(outcomes []outcome) error {
	for _, o := range outcomes {
		if len(o.violations) > 0 {
			return errors.New("something was violated: see the table")
		}
	}
	return nil
}
