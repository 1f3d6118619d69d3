package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/winnow-video/winnow/cmd/winnow/supervise"
	"github.com/winnow-video/winnow/workers"
	"github.com/winnow-video/winnow/workflows/artifact/diskcache"
	"github.com/winnow-video/winnow/workflows/monitor"
	"github.com/winnow-video/winnow/workflows/stack"
)

const upLong = `Keep the embedded stack running: a Temporal server (SQLite), a NATS server with
JetStream, an S3 server, a worker, and winnow-infer for every bundle that a job needs.
All of it on loopback; state under --state. ^C stops it; jobs go on at the next start.

With services of your own (` + "`winnow help services`" + `), a worker and winnow-infer run on those, and no
servers here.

` + hwaccelHelp + `

` + deviceHelp + `

` + batchingHelp + `

` + monitor.Help + ` It tells of the worker here; a winnow-infer
of your own tells of itself.

` + "`winnow run` uses the stack that runs, as it was started."

func (a *app) upCommand() *cobra.Command {
	var whileUsed bool
	var on devices
	var metrics string
	c := &cobra.Command{
		Use: "up", Short: "Keep the embedded stack running", Long: upLong, Args: exactArgs(),
		RunE: func(c *cobra.Command, _ []string) error { return a.up(c.Context(), !whileUsed, on, metrics) },
	}
	on.bind(c.Flags())
	monitor.Bind(c.Flags(), &metrics)
	c.Flags().BoolVar(&whileUsed, "while-used", false, "stop with the last user")
	hide(c.Flags(), "while-used") // of `winnow run`, which starts one of these
	return c
}

func (a *app) up(ctx context.Context, lasting bool, on devices, metrics string) error {
	if err := on.batches.validate(); err != nil {
		return err
	}
	cfg, err := a.superviseConfig(lasting, on, metrics)
	if err != nil {
		return err
	}
	err = supervise.Run(ctx, cfg)
	switch {
	case errors.Is(err, supervise.ErrRunning) && !lasting:
		return &exitError{supervise.ExitRunning, err.Error()}
	case ctx.Err() != nil && (err == nil || errors.Is(err, context.Canceled)):
		return nil // ^C is how it is meant to end
	}
	return err
}

func (a *app) superviseConfig(lasting bool, on devices, metrics string) (supervise.Config, error) {
	state, err := filepath.Abs(a.state)
	if err != nil {
		return supervise.Config{}, err
	}
	a.state = state
	outside, err := a.outsideServices()
	if err != nil {
		return supervise.Config{}, err
	}
	devstack := ""
	if outside == nil {
		if devstack, err = program("winnow-devstack"); err != nil {
			return supervise.Config{}, err
		}
	}
	infer, err := program("winnow-infer")
	if err != nil {
		return supervise.Config{}, err
	}
	log := a.logger()
	work := func(ctx context.Context, services stack.Services, serve func(context.Context, string) error) error {
		return a.work(ctx, services, diskcache.Config{}, metrics, workers.Config{
			Serve: serve, Hwaccel: on.decode, Encoder: workers.Encoder{Provider: on.encode.Provider}, Logger: log,
		})
	}
	return supervise.Config{
		State: state, Lasting: lasting, Devstack: devstack, Infer: infer, InferArgs: on.inferArgs(),
		Outside: outside, OutsideArgs: a.outside.Args(), Work: work, Log: log, Ready: a.announce,
	}, nil
}

func (a *app) announce(up supervise.Up) {
	what := "Temporal's console " + up.TemporalUI
	if up.Place != "" {
		what = up.Place
	}
	fmt.Fprintf(a.out, "ready: %s, state %s; submit with `winnow submit`, stop with ^C\n", what, a.state)
}
