package workers

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/winnow-video/winnow/workers/source"
	"github.com/winnow-video/winnow/workflows"
	"github.com/winnow-video/winnow/workflows/job"
)

// waitersDrain is what activities that wait for inference get when a worker stops:
// another takes their place and loses nothing.
const waitersDrain = 10 * time.Second

// Run serves cfg's task queues until ctx ends, then stops polling, gives
// activities cfg.Drain and returns nil. What they had not finished runs again elsewhere.
func Run(ctx context.Context, cfg Config) error {
	cfg = cfg.WithDefaults()
	if err := cfg.validate(); err != nil {
		return err
	}
	s, err := newStages(ctx, cfg)
	if err != nil {
		return err
	}
	defer s.files.close()
	defer s.call(ctx)()
	fatal := make(chan error, len(cfg.Queues))
	serving, err := s.start(fatal)
	defer stopAll(serving)
	if err != nil {
		return err
	}
	cfg.Started()
	select {
	case <-ctx.Done():
		return nil
	case err := <-fatal:
		return fmt.Errorf("worker: %w", err)
	}
}

// call lists this process among those that ask for inference, if it does, until
// the returned function is called.
func (s *stages) call(ctx context.Context) (stop func()) {
	if !slices.Contains(s.cfg.Queues, workflows.QueueCall) {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	var calling sync.WaitGroup
	calling.Go(func() { s.calls.follow(ctx) })
	calling.Go(func() {
		if err := s.cfg.Bus.Call(ctx, s.cfg.Name); err != nil {
			s.cfg.Logger.Warn("not taken out of the list of those who ask; it forgets by itself", "error", err)
		}
	})
	return func() { cancel(); calling.Wait() }
}

// stages does every activity's work.
type stages struct {
	cfg          Config
	files        *jobFiles
	sources      source.Opener
	decoderBuild string
	decoding     keyed
	calls        *calls
	clips        sync.Pool // of *prune.Clip: the memory of one serves the next
}

func newStages(ctx context.Context, cfg Config) (*stages, error) {
	if err := os.MkdirAll(cfg.scratch(), 0o700); err != nil {
		return nil, fmt.Errorf("worker: StateDir: %w", err)
	}
	files, err := newJobFiles(cfg.Store)
	if err != nil {
		return nil, err
	}
	s := &stages{cfg: cfg, files: files, calls: newCalls(cfg.Bus.Share, cfg.Slots.Call, cfg.Watch)}
	s.sources = source.Opener{
		S3: cfg.S3, HTTPS: source.PublicClient(), Origins: source.NewOrigins(cfg.Origins), Scratch: cfg.scratch(),
	}
	if cfg.LocalFiles {
		if s.sources.Local, err = source.OpenMemo(filepath.Join(cfg.StateDir, "sources.jsonl")); err != nil {
			return nil, fmt.Errorf("worker: StateDir: %w", err)
		}
	}
	return s, s.probeDecoder(ctx)
}

// start starts a worker for every queue; it returns those that run even if one does not.
func (s *stages) start(fatal chan<- error) (serving []worker.Worker, err error) {
	for _, queue := range s.cfg.Queues {
		w, err := s.workerOf(queue, fatal)
		if err == nil {
			err = w.Start()
		}
		if err != nil {
			return serving, fmt.Errorf("worker: queue %s: %w", queue, err)
		}
		serving = append(serving, w)
	}
	return serving, nil
}

func stopAll(serving []worker.Worker) {
	var all sync.WaitGroup
	for _, w := range serving {
		all.Go(w.Stop)
	}
	all.Wait()
}

func (s *stages) workerOf(queue string, fatal chan<- error) (w worker.Worker, err error) {
	options := worker.Options{
		Identity:                     s.cfg.Name,
		DisableWorkflowWorker:        queue != workflows.QueueMain,
		WorkerStopTimeout:            s.cfg.Drain,
		DeploymentOptions:            s.cfg.Deployment.options(),
		MaxHeartbeatThrottleInterval: beatEvery,
		OnFatalError:                 func(err error) { fatal <- err },
		Interceptors:                 []interceptor.WorkerInterceptor{&watching{watch: s.cfg.Watch}},
	}
	switch queue {
	case workflows.QueueMain:
		options.MaxConcurrentActivityExecutionSize = s.cfg.Slots.Main
	case workflows.QueueCall:
		options.WorkerStopTimeout = min(s.cfg.Drain, waitersDrain)
		if options.Tuner, err = s.calls.tuner(); err != nil {
			return nil, err
		}
	case workflows.QueueDecode:
		options.MaxConcurrentActivityExecutionSize = s.cfg.Slots.Decode
	}
	w = worker.New(s.cfg.Temporal, queue, options)
	s.register(w, queue)
	return w, nil
}

func (s *stages) register(w worker.Worker, queue string) {
	switch queue {
	case workflows.QueueMain:
		registerWorkflows(w)
		s.registerMain(w)
	case workflows.QueueCall:
		workflows.Encode.Register(w, waiting(job.StageEncode, s.encode))
		workflows.Answer.Register(w, waiting(job.StageAnswer, s.answer))
	case workflows.QueueDecode:
		workflows.Decode.Register(w, guard(job.StageDecode, s.decode))
	}
}

func (s *stages) registerMain(w worker.ActivityRegistry) {
	workflows.Tell.Register(w, guard(job.StageRecord, s.tell))
	workflows.Extend.Register(w, guard(job.StageRecord, s.extend))
	workflows.Plan.Register(w, guard(job.StageRecord, s.plan))
	workflows.Locate.Register(w, guard(job.StageFetch, s.locate))
	workflows.Prune.Register(w, guard(job.StagePrune, s.prune))
	workflows.Record.Register(w, guard(job.StageRecord, s.record))
	workflows.Close.Register(w, guard(job.StageRecord, s.closePage))
	workflows.Finalise.Register(w, guard(job.StageRecord, s.finalise))
}

func registerWorkflows(w worker.WorkflowRegistry) {
	w.RegisterWorkflowWithOptions(workflows.Job, workflow.RegisterOptions{Name: workflows.JobType})
	w.RegisterWorkflowWithOptions(workflows.Page, workflow.RegisterOptions{Name: workflows.PageType})
	w.RegisterWorkflowWithOptions(workflows.Video, workflow.RegisterOptions{Name: workflows.VideoType})
}
