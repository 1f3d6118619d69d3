package main

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/winnow-video/winnow/infer"
	"github.com/winnow-video/winnow/infer/bundle"
	"github.com/winnow-video/winnow/infer/onnx"
	"github.com/winnow-video/winnow/workflows/artifact/life"
	"github.com/winnow-video/winnow/workflows/artifact/s3store"
	"github.com/winnow-video/winnow/workflows/bus"
	"github.com/winnow-video/winnow/workflows/job"
	"github.com/winnow-video/winnow/workflows/monitor"
)

// partingLimit bounds what is told to servers before the process ends itself.
const partingLimit = 2 * time.Second

// run loads the bundle, then takes requests until ctx ends.
func (o options) run(ctx context.Context) error {
	services, err := o.services()
	if err != nil {
		return err
	}
	telling := newTelling()
	end, err := telling.Serve(o.metrics)
	if err != nil {
		return err
	}
	defer end()
	defer context.AfterFunc(ctx, telling.Drain)()
	b, err := bundle.Open(ctx, o.bundle)
	if err != nil {
		return err
	}
	defer b.Close()
	if o.language, err = o.languageConfig(b, services); err != nil {
		return err
	}
	store, err := s3store.Open(ctx, services.S3)
	if err != nil {
		return err
	}
	if err := store.CheckWrites(ctx); err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	services.NATS.Name, services.NATS.Logger = "winnow-infer "+o.name, log
	queue, err := bus.Connect(ctx, services.NATS)
	if err != nil {
		return err
	}
	defer queue.Close()
	telling.ready = monitor.Checks{"nats": queue.Check, "s3": monitor.Storage(store)}
	o.cache.Watch = telling.Cache()
	kept, closeCache, err := o.cache.Open(life.Mark(store), log)
	if err != nil {
		return err
	}
	defer closeCache()
	server := &infer.Server{
		Store: kept, Batch: o.batch, Rows: o.rows, Wait: o.wait, Apart: o.apart(b),
		Limit: o.limit, Overdue: o.overdue(log), Log: log, Watch: telling.infer,
	}
	if b.Remote() {
		server.Rows = 0 // of its memory the language server takes care itself
		log.Info("looking at the language server", "url", o.language.URL, "model", b.Language.Model)
	}
	telling.infer.Device(func() (busy, idle time.Duration) { load := server.Load(); return load.Busy, load.Idle })
	if b.Pictures() {
		return o.loadPictures(ctx, server, b, queue, telling)
	}
	return o.load(ctx, server, b, queue, telling)
}

// telling is what the process tells of itself.
type telling struct {
	*monitor.Monitor
	infer *monitor.Infer
	ready monitor.Checks
}

func newTelling() *telling {
	m := monitor.New()
	return &telling{Monitor: m, infer: m.Infer()}
}

// load loads the graphs and serves with them.
func (o options) load(ctx context.Context, server *infer.Server, b *bundle.Bundle, queue *bus.Bus, telling *telling) error {
	engine, err := onnx.Open(o.engine)
	if err != nil {
		return err
	}
	defer engine.Close()
	device, why := engine.Device()
	if server.Provider = string(device.Provider); why != "" {
		server.Log.Warn("graphs run on the CPU", "reason", why)
	}
	if server.Encoder, err = infer.NewEncoder(engine, b); err != nil {
		return err
	}
	defer server.Encoder.Close()
	if !b.Remote() {
		engine.LeaveCores()
		if o.kv, err = o.kvMemory(ctx, b, device); err != nil {
			return err
		}
		server.Log.Info("memory for the decoder's keys and values", "bytes", o.kv)
	}
	language, err := o.openLanguage(ctx, engine, b)
	if err != nil {
		return err
	}
	defer language.Close()
	if decoder, here := language.(*infer.Decoder); here {
		telling.infer.Memory(decoder.KVBytes, o.kv)
	}
	answerer, err := infer.NewAnswerer(engine, b, language)
	if err != nil {
		return err
	}
	defer answerer.Close()
	server.Answerer = answerer
	return o.take(ctx, server, b, queue, telling, engineNames(engine, language), job.StageEncode, job.StageAnswer)
}

// loadPictures serves a bundle without graphs: frames are shown to a model elsewhere.
func (o options) loadPictures(ctx context.Context, server *infer.Server, b *bundle.Bundle, queue *bus.Bus, telling *telling) error {
	pictures, err := infer.NewPictures(ctx, o.language.Config, b)
	if err != nil {
		return fmt.Errorf("language server: %w", err)
	}
	defer pictures.Close()
	server.Answerer = pictures
	return o.take(ctx, server, b, queue, telling, pictures.Name(), job.StageAnswer)
}

// take takes requests of these stages until ctx ends.
func (o options) take(ctx context.Context, server *infer.Server, b *bundle.Bundle, queue *bus.Bus, telling *telling, with string, stages ...job.Stage) error {
	worker := bus.Worker{
		V: bus.Version, Name: o.name, Bundle: b.Digest(), Capacity: cmp.Or(o.apart(b), o.batch), Version: version(), Stages: stages,
	}
	puller, err := queue.Pull(worker)
	if err != nil {
		return err
	}
	defer puller.Close(context.WithoutCancel(ctx))
	server.Queue = puller
	gone := make(chan error, 1)
	go func() { gone <- queue.Advertise(ctx, worker) }()
	defer o.boundDrain(ctx, puller, server.Log)()
	telling.Up(telling.ready, monitor.Checks{"queue": puller.Check})
	fmt.Printf("ready: %s serves %s (%s) with %s\n", o.name, b.Name, b.Short(), with)
	server.Serve(ctx)
	return <-gone
}

// overdue ends the process without a word to the queue: if the request was
// running alone, that counts against it.
func (o options) overdue(log *slog.Logger) func() {
	return func() {
		log.Error("a batch overran --limit; ending, so that its requests go to another worker", "limit", o.limit)
		os.Exit(1)
	}
}

// boundDrain ends the process when what runs overstays --drain, and gives back
// what it held. The returned function calls that off.
func (o options) boundDrain(ctx context.Context, puller *bus.Puller, log *slog.Logger) (stop func()) {
	over := make(chan struct{})
	go func() {
		select {
		case <-ctx.Done():
		case <-over:
			return
		}
		select {
		case <-time.After(o.drain):
		case <-over:
			return
		}
		log.Warn("what runs overstayed --drain; giving it back", "drain", o.drain)
		parting, cancel := context.WithTimeout(context.WithoutCancel(ctx), partingLimit)
		defer cancel()
		if err := puller.Close(parting); err != nil {
			log.Warn("requests not given back; they time out", "error", err)
		}
		os.Exit(1)
	}()
	return func() { close(over) }
}
