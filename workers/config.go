package workers

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"go.temporal.io/sdk/client"

	"github.com/winnow-video/winnow/decode/wire"
	"github.com/winnow-video/winnow/infer/device"
	"github.com/winnow-video/winnow/workers/source"
	"github.com/winnow-video/winnow/workflows"
	"github.com/winnow-video/winnow/workflows/artifact"
	"github.com/winnow-video/winnow/workflows/bus"
	"github.com/winnow-video/winnow/workflows/job"
)

// Bus is what the stages use of a *bus.Bus.
type Bus interface {
	// Await asks for an object and waits for it; see bus.Bus.
	Await(ctx context.Context, store artifact.Store, r bus.Request, priority int, beat func()) (bus.Made, error)
	// Call lists this process among those that ask, until ctx ends; see bus.Bus.
	Call(ctx context.Context, name string) error
	// Share is how many requests for a bundle this process should have out; see bus.Bus.
	Share(ctx context.Context, bundle string) (int, error)
	// Tell publishes an event if it can.
	Tell(job.Event)
}

// Config is a worker's surroundings. Fields without a default are required.
type Config struct {
	Temporal   client.Client
	Store      artifact.Store
	Bus        Bus
	S3         *minio.Client // reads s3:// videos, see source.S3Client; nil: they are refused
	DecodePath string        // winnow-decode; required on queue winnow-decode
	StateDir   string        // digests of local files and scratch space
	LocalFiles bool          // may manifests point at files of this machine?
	Queues     []string      // task queues served; default all
	Slots      Slots
	Encoder    Encoder
	Origins    source.OriginLimits // of what videos are read from
	Hwaccel    wire.Hwaccel        // what decodes; default none. It is part of a clip's key.
	Drain      time.Duration       // what decoding and pruning get to end when the worker stops; default 10 s
	Deployment Deployment          // default: no worker versioning
	Name       string              // in records; default host-pid
	Logger     *slog.Logger
	Watch      Watcher // is told what happens; default nobody
	Started    func()  // called once all queues are served; default nothing

	// Serve makes sure that somebody serves the bundle in a folder; it is called
	// before every request for inference. nil: somebody else sees to that.
	Serve func(ctx context.Context, bundleDir string) error
}

// Slots is how many activities of a queue run at once.
type Slots struct {
	Main   int // default: cores
	Call   int // at most; default: 256. They only wait, and fewer where workers have room for fewer requests
	Decode int // default: cores
}

// Encoder is what encodes, as far as tokens depend on it.
type Encoder struct {
	Provider  device.Provider // of every winnow-infer; default cpu
	Precision string          // default f32
}

// WithDefaults fills in what is not set.
func (c Config) WithDefaults() Config {
	if len(c.Queues) == 0 {
		c.Queues = []string{workflows.QueueMain, workflows.QueueCall, workflows.QueueDecode}
	}
	c.Slots.Main = positive(c.Slots.Main, runtime.NumCPU())
	c.Slots.Call = positive(c.Slots.Call, 256)
	c.Slots.Decode = positive(c.Slots.Decode, runtime.NumCPU())
	if c.Hwaccel == "" {
		c.Hwaccel = wire.HwaccelNone
	}
	c.Drain = cmp.Or(c.Drain, 10*time.Second)
	if c.Encoder.Provider == "" {
		c.Encoder.Provider = device.CPU
	}
	if c.Encoder.Precision == "" {
		c.Encoder.Precision = "f32"
	}
	if c.Name == "" {
		host, _ := os.Hostname() // a worker without a host name is still told apart by its pid
		c.Name = fmt.Sprintf("%s-%d", host, os.Getpid())
	}
	if c.Watch == nil {
		c.Watch = unwatched{}
	}
	if c.Started == nil {
		c.Started = func() {}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

func positive(n, fallback int) int {
	if n > 0 {
		return n
	}
	return fallback
}

func (c Config) validate() error {
	switch {
	case c.Temporal == nil:
		return fmt.Errorf("worker: Temporal is not set")
	case c.Store == nil:
		return fmt.Errorf("worker: Store is not set")
	case c.Bus == nil:
		return fmt.Errorf("worker: Bus is not set")
	case c.StateDir == "":
		return fmt.Errorf("worker: StateDir is not set")
	}
	all := []string{workflows.QueueMain, workflows.QueueCall, workflows.QueueDecode}
	for _, q := range c.Queues {
		if !slices.Contains(all, q) {
			return fmt.Errorf("worker: Queues: %q: want %s", q, strings.Join(all, ", "))
		}
	}
	if !slices.Contains(device.Providers(), c.Encoder.Provider) {
		return fmt.Errorf("worker: Encoder.Provider: %q: want one of %v", c.Encoder.Provider, device.Providers())
	}
	if err := c.Deployment.Validate(); err != nil {
		return fmt.Errorf("worker: %w", err)
	}
	if err := c.Hwaccel.Validate(); err != nil {
		return fmt.Errorf("worker: %w", err)
	}
	return nil
}

func (c Config) scratch() string { return filepath.Join(c.StateDir, "scratch") }
