package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strconv"
	"sync/atomic"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/log"

	"github.com/winnow-video/winnow/infer/bundle"
	"github.com/winnow-video/winnow/workers"
	"github.com/winnow-video/winnow/workflows/stack"
)

// asleepCommand is the first argument of a process that works in its sleep; the
// state folder, the bundle's and the path of winnow-decode follow.
const asleepCommand = "asleep"

// workAsleep is `winnow worker` with sleeps in place of stages. Every second it
// prints how many videos it has recorded.
func workAsleep(ctx context.Context, state, bundleDir, decoder string) error {
	services, err := stack.ReadState(state)
	if err != nil {
		return err
	}
	logger := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	conn, err := connect(ctx, services, logger)
	if err != nil {
		return err
	}
	defer conn.close()
	asleep := &sleeper{tell: conn.bus.Tell}
	temporal, err := client.NewClientFromExistingWithContext(ctx, conn.temporal, client.Options{
		Namespace: services.Temporal.Namespace, Logger: log.NewStructuredLogger(logger),
		Interceptors: []interceptor.ClientInterceptor{asleep},
	})
	if err != nil {
		return err
	}
	defer temporal.Close()
	b, _, err := bundle.Verify(ctx, bundleDir)
	if err != nil {
		return err
	}
	store, err := newCanned(conn.store, b)
	if err != nil {
		return err
	}
	go asleep.report(ctx)
	return workers.Run(ctx, workers.Config{
		Temporal: temporal, Store: store, Bus: conn.bus, DecodePath: decoder,
		StateDir: state, Name: asleepCommand, Logger: logger,
	})
}

// report prints progress, so that who measures need not ask the server.
func (s *sleeper) report(ctx context.Context) {
	for tick := time.Tick(time.Second); ctx.Err() == nil; <-tick {
		fmt.Println(s.recorded.Load())
	}
}

// dormitory is a ground with one worker that works in its sleep.
type dormitory struct {
	*ground
	worker   *child
	recorded atomic.Int64 // videos, as the worker last said
}

func newDormitory(ctx context.Context, p programs) (*dormitory, error) {
	g, err := newGround(ctx, p)
	if err != nil {
		return nil, err
	}
	d := &dormitory{ground: g}
	if err := d.startWorker(); err != nil {
		return nil, errors.Join(err, g.close())
	}
	return d, nil
}

func (d *dormitory) startWorker() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(self, asleepCommand, d.state, d.bundle, d.path("winnow-decode"))
	progress, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if d.worker, err = startChild(cmd); err != nil {
		return err
	}
	go d.listen(progress)
	return nil
}

func (d *dormitory) listen(progress io.Reader) {
	for lines := bufio.NewScanner(progress); lines.Scan(); {
		if n, err := strconv.ParseInt(lines.Text(), 10, 64); err == nil {
			d.recorded.Store(n)
		}
	}
}

func (d *dormitory) close() error { return errors.Join(d.worker.stop(), d.ground.close()) }
