package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"

	"github.com/winnow-video/winnow/infer"
	"github.com/winnow-video/winnow/infer/bundle"
	"github.com/winnow-video/winnow/infer/onnx"
	"github.com/winnow-video/winnow/workflows/artifact/s3store"
	"github.com/winnow-video/winnow/workflows/bus"
	"github.com/winnow-video/winnow/workflows/job"
	"github.com/winnow-video/winnow/workflows/stack"
)

const long = `Serve a model bundle: pull encode and answer requests for it, run them, and write
tokens and replies. Prints "ready" when it takes requests; SIGTERM lets it finish
what it holds and go. ` + "`winnow run` and `winnow up`" + ` start one for every bundle in use;
further ones share the work.`

// options are the command's flags.
type options struct {
	state   string
	bundle  string
	device  string
	name    string
	threads int
	batch   int
	rows    int
	limit   time.Duration
	library string
}

func command() *cobra.Command {
	var o options
	c := &cobra.Command{
		Use: "winnow-infer --state DIR --bundle DIR", Short: "Serve a model bundle", Long: long,
		Version: version(), SilenceUsage: true, SilenceErrors: true, Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return o.serve(c.Context()) },
	}
	host, _ := os.Hostname()
	f := c.Flags()
	f.StringVar(&o.state, "state", ".winnow", "state folder of the running stack")
	f.StringVar(&o.bundle, "bundle", "", "folder of the bundle (required)")
	f.StringVar(&o.device, "device", "auto", "where graphs run: auto, cpu")
	f.StringVar(&o.name, "name", fmt.Sprintf("%s-%d", host, os.Getpid()), "name in the directory of workers")
	f.IntVar(&o.threads, "threads", 0, "threads inside one graph (default: cores)")
	f.IntVar(&o.batch, "max-batch", 16, "requests taken at a time")
	f.IntVar(&o.rows, "max-rows", 8192, "prompt rows of one batch, padding included: bounds memory")
	f.DurationVar(&o.limit, "limit", 10*time.Minute, "time a batch may take before the process ends itself")
	f.StringVar(&o.library, "onnxruntime", "", "path of libonnxruntime.so (default: $"+onnx.LibraryVariable+", else where `make setup` put it)")
	return c
}

func version() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		return info.Main.Version
	}
	return "(devel)"
}

func (o options) validate() error {
	switch {
	case o.bundle == "":
		return errors.New("missing --bundle: the folder of the bundle to serve")
	case o.device != "auto" && o.device != "cpu":
		return fmt.Errorf("--device %q: this build runs on auto or cpu", o.device)
	case o.batch < 1 || o.rows < 1 || o.threads < 0 || o.limit <= 0:
		return errors.New("--max-batch and --max-rows want at least 1, --threads 0 or more, --limit more than 0")
	}
	return nil
}

// serve loads the bundle, then takes requests until ctx ends.
func (o options) serve(ctx context.Context) error {
	if err := o.validate(); err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	services, err := stack.ReadState(o.state)
	if err != nil {
		return err
	}
	b, err := bundle.Open(ctx, o.bundle)
	if err != nil {
		return err
	}
	defer b.Close()
	engine, err := onnx.Open(onnx.Config{Library: o.library, Threads: o.threads})
	if err != nil {
		return err
	}
	defer engine.Close()
	server, err := o.server(engine, b, log)
	if err != nil {
		return err
	}
	if server.Store, err = s3store.Open(ctx, services.S3); err != nil {
		return err
	}
	conn, err := bus.Connect(ctx, services.NATS)
	if err != nil {
		return err
	}
	defer conn.Close()
	return o.take(ctx, conn, server, b.Digest(), engine.Name())
}

func (o options) server(engine infer.Engine, b *bundle.Bundle, log *slog.Logger) (*infer.Server, error) {
	encoder, err := infer.NewEncoder(engine, b)
	if err != nil {
		return nil, err
	}
	answerer, err := infer.NewAnswerer(engine, b, o.rows)
	if err != nil {
		return nil, err
	}
	overdue := func() {
		log.Error("a batch overran --limit; ending, so that its requests go to another worker", "limit", o.limit)
		os.Exit(1)
	}
	return &infer.Server{Encoder: encoder, Answerer: answerer, Batch: o.batch, Limit: o.limit, Overdue: overdue, Log: log}, nil
}

// take advertises the worker and serves; when ctx ends, what is held is finished first.
func (o options) take(ctx context.Context, conn *bus.Bus, server *infer.Server, digest, engine string) error {
	w := bus.Worker{
		V: bus.Version, Name: o.name, Bundle: digest, Stages: []job.Stage{job.StageEncode, job.StageAnswer},
		Capacity: o.batch, Version: version(),
	}
	puller, err := conn.Pull(w)
	if err != nil {
		return err
	}
	defer puller.Close(context.WithoutCancel(ctx))
	server.Queue = puller
	gone := make(chan error, 1)
	go func() { gone <- conn.Advertise(ctx, w) }()
	fmt.Printf("ready %s serves %s with %s\n", o.name, digest[:12], engine)
	err = server.Serve(ctx)
	return errors.Join(err, <-gone)
}
