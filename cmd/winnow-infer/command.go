package main

import (
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"

	"github.com/winnow-video/winnow/infer/onnx"
	"github.com/winnow-video/winnow/infer/tensor"
	"github.com/winnow-video/winnow/infer/vllm"
	"github.com/winnow-video/winnow/workflows/artifact/diskcache"
	"github.com/winnow-video/winnow/workflows/monitor"
	"github.com/winnow-video/winnow/workflows/stack"
)

const long = `Serve a model bundle: take encode and answer requests for it off the queue, run
them, store tokens and replies, and tell the end of each.

The bundle's digests are checked before anything is loaded. A line that begins
with "ready" says that requests are taken. SIGTERM lets what runs finish, gives
back what waits, and ends the process; what a killed process held goes to
another one after 30 s. Every minute and at the end a line in the log tells how
long graphs ran and how long they stood idle while requests waited.

Questions of all videos and jobs share batches: those that came while the last one
ran, up to --max-batch, --max-rows and what --kv-memory takes. Questions run before
clips, which end no item, and clips one by one.

NATS and S3 are those of the stack of --state, or your own: name them in a file of
--services, by variables (WINNOW_NATS_URLS, WINNOW_S3_BUCKET, …) or by flags: see
` + "`winnow help services`" + `.

` + "`winnow run` and `winnow up`" + ` start one for every bundle in use. Further ones
for the same bundle share its work; each should have a device of its own.

Where all questions about a clip keep the same tokens (prune.method none, uniform,
divprune and others that do not look at the question), their prompts begin alike.
The decoder reads that prefix once and holds its keys and values, so that further
questions, of this job or another, cost little more than their own words. What is
held is bounded by --kv-memory; the prefixes used last stay. A prompt that does
not fit in there alone ends as capacity/memory, and says how much it takes. The
same memory is taken on a GPU while a batch runs there.

` + diskcache.Help + `

` + monitor.Help + `

A bundle whose language model is remote is answered by a vLLM server: start that
with the extracted language model, --enable-prompt-embeds and --generation-config
vllm, on a private network, and name it by --language-url. Vision tower, projector
and embeddings run here. Where the bundle says that frames are the model's input, any
server of OpenAI's chat completions will do: it is sent frames as images, and nothing
is pruned. The server's key is read from the environment alone.

Such a server makes batches itself: questions are put to it one by one, up to
--language-inflight at once, and clips are encoded beside them. Each of those holds
its prompt until it is answered: six bytes a number of its rows (eight with
--language-dtype F32), so 16 prompts of 3000 rows of 4096 take 1.2 GB, or the JPEGs
of its frames. Up to --max-batch more questions are fetched, and hold the tokens that
were kept, two bytes a number, or the clip. A prompt on which the server fails (500)
four times, though it answers others, ends as model/error.`

const example = `  winnow-infer --bundle deploy/bundle/demo
  winnow-infer --bundle deploy/bundle/demo --services /etc/winnow/services.yaml --threads 8
  winnow-infer --bundle bundles/llava-7b --language-url http://vllm:8000 --language-inflight 64`

// Names of environment variables.
const (
	languageURLVariable = "WINNOW_LANGUAGE_URL"
	languageKeyVariable = "WINNOW_LANGUAGE_KEY"
	kvMemoryVariable    = "WINNOW_KV_MEMORY"
)

// options are the command's flags.
type options struct {
	state   string
	outside stack.Outside
	cache   diskcache.Config
	bundle  string
	name    string
	engine  onnx.Config
	batch   int
	rows    int
	wait    time.Duration
	kv      int64
	limit   time.Duration
	drain   time.Duration
	metrics string

	language    vllm.Config
	languageKey string // name of an environment variable
}

func command() *cobra.Command {
	var o options
	c := &cobra.Command{
		Use: "winnow-infer --bundle DIR", Short: "Serve a model bundle", Long: long, Example: example,
		Version: version(), SilenceUsage: true, SilenceErrors: true, Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := o.validate(); err != nil {
				return err
			}
			return o.run(c.Context())
		},
	}
	f := c.Flags()
	f.SortFlags = false
	f.StringVar(&o.bundle, "bundle", "", "folder of the bundle (required)")
	f.StringVar(&o.state, "state", ".winnow", "state folder of the running stack")
	o.outside.Bind(f)
	f.StringVar(&o.name, "name", defaultName(), "name in the directory of workers")
	f.Var(&o.engine.Device, "device", "where graphs run: auto (CUDA where it can, else the CPU), cpu, cuda:N, tensorrt:N")
	f.IntVar(&o.engine.Threads, "threads", 0, "threads inside one graph (default: as many as cores). Where graphs run on the CPU, all else that winnow-infer does shares one core, unless $GOMAXPROCS says otherwise")
	f.BoolVar(&o.engine.Spin, "spin", false, "have the threads of a graph wait for each other without sleeping: quicker where nothing else needs the cores, far slower where something does")
	f.StringVar(&o.engine.Library, "onnxruntime", "", "libonnxruntime.so (default: $"+onnx.LibraryVariable+", else where `make setup` put it)")
	f.StringVar(&o.engine.Profile, "profile", "", "folder for ONNX Runtime's trace of every graph, written at the end: what each node cost (default: none; tracing slows graphs down)")
	f.StringVar(&o.language.URL, "language-url", "", "server of a remote language model (default: $"+languageURLVariable+", else language_url of the stack's file)")
	f.StringVar(&o.languageKey, "language-key-env", languageKeyVariable, "environment variable that holds the server's key")
	f.IntVar(&o.language.InFlight, "language-inflight", 16, "questions put to the server at once, each on its own. Memory for their prompts is taken here: see above")
	f.DurationVar(&o.language.Timeout, "language-timeout", 2*time.Minute, "time one request to the server may take before it is tried again")
	f.StringVar((*string)(&o.language.DType), "language-dtype", string(tensor.F16), "type of the rows sent to it: F16, BF16, F32")
	f.IntVar(&o.batch, "max-batch", 16, "questions of a batch; as many more may wait for the next. With a remote language model: questions fetched ahead")
	f.IntVar(&o.rows, "max-rows", 8192, "rows of prompts, text and visual tokens, that the decoder reads at a time, padding included: bounds a batch, and the memory it computes in")
	f.DurationVar(&o.wait, "max-wait", 0, "how long a question waits for others to share its batch while the device has nothing to do. Lone questions are answered so much later; what it gains is larger batches where the device is far quicker than questions come. While the device is busy they gather without it")
	f.Int64Var(&o.kv, "kv-memory", 0, "bytes that the decoder's keys and values may take, half of them for prefixes that questions share (default: $"+kvMemoryVariable+", else a quarter of the free memory, of the machine and of the card, less for small models)")
	f.DurationVar(&o.limit, "limit", 10*time.Minute, "time one batch may take before the process ends itself, so that a hung device frees its requests")
	f.DurationVar(&o.drain, "drain", 15*time.Second, "time after SIGTERM in which what runs may finish")
	o.cache.Bind(f)
	monitor.Bind(f, &o.metrics)
	return c
}

func defaultName() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return fmt.Sprintf("%s-%d", host, os.Getpid())
}

func version() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		return info.Main.Version
	}
	return "(devel)"
}

// validate names the flag that cannot be.
func (o options) validate() error {
	switch {
	case o.bundle == "":
		return errors.New("--bundle is missing: name the folder of the bundle to serve")
	case o.batch < 1:
		return fmt.Errorf("--max-batch %d: want at least 1", o.batch)
	case o.rows < 1:
		return fmt.Errorf("--max-rows %d: want at least 1", o.rows)
	case o.wait < 0:
		return fmt.Errorf("--max-wait %v: want a duration like 5ms, or 0", o.wait)
	case o.kv < 0:
		return fmt.Errorf("--kv-memory %d: want a number of bytes, or 0 for the default", o.kv)
	case o.limit <= 0:
		return fmt.Errorf("--limit %v: want a positive duration like 10m", o.limit)
	case o.drain < 0:
		return fmt.Errorf("--drain %v: want a duration like 15s, or 0", o.drain)
	}
	if o.language.InFlight < 1 {
		return fmt.Errorf("--language-inflight %d: want at least 1", o.language.InFlight)
	}
	if err := o.cache.Validate(); err != nil {
		return err
	}
	return o.engine.Validate()
}

// services are those outside, if any were named, else those of the state folder.
// Of them NATS and S3 are used.
func (o options) services() (stack.Services, error) {
	if !o.outside.Given() {
		return stack.ReadState(o.state)
	}
	services, err := o.outside.Services()
	if err != nil {
		return services, err
	}
	for _, part := range []interface{ Validate() error }{services.NATS, services.S3} {
		if err := part.Validate(); err != nil {
			return services, fmt.Errorf("services: %w; `winnow help services` lists how each can be said", err)
		}
	}
	return services, nil
}
