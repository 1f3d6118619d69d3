package main

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/winnow-video/winnow/decode/wire"
	"github.com/winnow-video/winnow/workers"
	"github.com/winnow-video/winnow/workers/source"
	"github.com/winnow-video/winnow/workflows/artifact/diskcache"
	"github.com/winnow-video/winnow/workflows/artifact/life"
	"github.com/winnow-video/winnow/workflows/monitor"
	"github.com/winnow-video/winnow/workflows/stack"
)

const workerLong = `Serve Temporal's task queues: workflows, decoding, pruning, waiting for inference.

A worker joins the stack of --state, or services of your own: see ` + "`winnow help services`" + `. On the latter
it reads videos from S3 and the web alone, never files of its machine, and bundles from the folder
that the job names, which must be the same on every machine. ` + "`winnow up` and `winnow run`" + ` hold
a worker already; further ones add room.

Activities of winnow-call are taken while the winnow-infers of their bundles have room: all workers
together ask for three times what these run at once (their --max-batch, or --language-inflight). The
others wait in Temporal, which orders them by priority and team.

` + hwaccelHelp + `

Clips that were asked of a device have keys of their own: give every worker of a stack the same
--hwaccel. One that has another decodes in software.

` + deviceHelp + `

` + deploymentHelp + `

` + diskcache.Help + `

` + monitor.Help

func (a *app) workerCommand() *cobra.Command {
	var queues []string
	var slots workers.Slots
	var origins source.OriginLimits
	var cache diskcache.Config
	var drain time.Duration
	var metrics string
	var decodes wire.Hwaccel
	var encodes inferDevice
	var of release
	c := &cobra.Command{Use: "worker", Short: "Serve task queues of a running stack", Long: workerLong, Args: exactArgs()}
	c.Flags().StringSliceVar(&queues, "queue", nil, "queue to serve: winnow, winnow-call, winnow-decode (default all)")
	c.Flags().IntVar(&slots.Main, "main-slots", 0, "pruning and bookkeeping at once (default: cores)")
	c.Flags().IntVar(&slots.Decode, "decode-slots", 0, "videos decoded at once (default: cores)")
	c.Flags().IntVar(&slots.Call, "call-slots", 0, "activities waiting for inference at once, at most (default 256)")
	c.Flags().IntVar(&origins.Concurrency, "origin-reads", 0, "reads at once from one origin of videos, S3 bucket or web host (default 16)")
	c.Flags().Float64Var(&origins.PerSecond, "origin-rate", 0, "reads a second begun from one origin (default: as many as come)")
	c.Flags().DurationVar(&drain, "drain", 10*time.Second, "time after SIGTERM in which decoding and pruning may finish; the rest runs again elsewhere")
	bindHwaccel(c.Flags(), &decodes)
	bindDevice(c.Flags(), &encodes)
	of.bind(c.Flags())
	cache.Bind(c.Flags())
	monitor.Bind(c.Flags(), &metrics)
	c.RunE = func(c *cobra.Command, _ []string) error {
		if drain <= 0 {
			return usagef("--drain %v: want a duration like 10s", drain)
		}
		if err := cache.Validate(); err != nil {
			return usageError(err)
		}
		if err := of.check(thisVersion()); err != nil {
			return err
		}
		services, err := a.runningServices()
		if err != nil {
			return err
		}
		log := a.logger()
		log.Info("worker starting", "temporal", services.Temporal.Address, "queues", strings.Join(queues, ","), "hwaccel", decodes, "device", encodes, "build", of.BuildID)
		return a.work(c.Context(), services, cache, metrics, workers.Config{
			Queues: queues, Slots: slots, Origins: origins, Hwaccel: decodes,
			Encoder: workers.Encoder{Provider: encodes.Provider}, Drain: drain, Deployment: of.Deployment, Logger: log,
		})
	}
	return c
}

// logger writes what operators read to stderr.
func (a *app) logger() *slog.Logger { return slog.New(slog.NewTextHandler(a.err, nil)) }

// work connects to the services and serves queues until ctx ends. cfg holds what
// the caller decides; the connections are filled in.
func (a *app) work(ctx context.Context, services stack.Services, cache diskcache.Config, metrics string, cfg workers.Config) error {
	m := monitor.New()
	end, err := m.Serve(metrics)
	if err != nil {
		return err
	}
	defer end()
	defer context.AfterFunc(ctx, m.Drain)()
	cfg.Watch, cache.Watch = m.Work(), m.Cache()
	conn, err := dial(ctx, services, cfg.Logger)
	if err != nil {
		return err
	}
	defer conn.close()
	if err := conn.store.CheckWrites(ctx); err != nil {
		return err
	}
	store, closeCache, err := cache.Open(life.Mark(conn.store), cfg.Logger)
	if err != nil {
		return err
	}
	defer closeCache()
	cfg.Temporal, cfg.Store, cfg.Bus = conn.temporal, store, conn.bus
	if cfg.S3, err = source.S3Client(services.S3); err != nil {
		return err
	}
	if cfg.DecodePath, err = program("winnow-decode"); err != nil {
		return err
	}
	cfg.StateDir, cfg.LocalFiles = a.state, !a.outside.Given() // whoever reaches services outside may not read files here
	cfg.Started = func() { m.Up(conn.checks(), nil) }
	return workers.Run(ctx, cfg)
}
