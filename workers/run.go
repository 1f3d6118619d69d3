package workers

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

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
	fatal := make(chan error, len(cfg.Queues))
	serving, err := s.start(fatal)
	defer stopAll(serving)
	if err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return nil
	case err := <-fatal:
		return fmt.Errorf("worker: %w", err)
	}
}

// stages does every activity's work.
type stages struct {
	cfg          Config
	files        *jobFiles
	sources      source.Opener
	decoderBuild string
	decoding     keyed
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
	s := &stages{cfg: cfg, files: files}
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
		w := s.workerOf(queue, fatal)
		if err := w.Start(); err != nil {
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

func (s *stages) workerOf(queue string, fatal chan<- error) worker.Worker {
	slots := map[string]int{
		workflows.QueueMain: s.cfg.Slots.Main, workflows.QueueCall: s.cfg.Slots.Call, workflows.QueueDecode: s.cfg.Slots.Decode,
	}
	drain := s.cfg.Drain
	if queue == workflows.QueueCall {
		drain = min(drain, waitersDrain)
	}
	w := worker.New(s.cfg.Temporal, queue, worker.Options{
		Identity:                           s.cfg.Name,
		MaxConcurrentActivityExecutionSize: slots[queue],
		DisableWorkflowWorker:              queue != workflows.QueueMain,
		WorkerStopTimeout:                  drain,
		DeploymentOptions:                  s.cfg.Deployment.options(),
		MaxHeartbeatThrottleInterval:       beatEvery,
		OnFatalError:                       func(err error) { fatal <- err },
	})
	s.register(w, queue)
	return w
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
