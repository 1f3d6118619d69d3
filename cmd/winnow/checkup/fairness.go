package checkup

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"sync"
	"time"

	"go.temporal.io/api/common/v1"
	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/winnow-video/winnow/workflows/wait"
)

// Teams of the workflows that fairness is tried with, in the order of their arrival.
const (
	large  = "large"  // has queued many
	small  = "small"  // came last
	urgent = "urgent" // came last of all, with priority 1
)

// largeQueue is how many the large team queues: enough to tell order from
// chance where a queue has partitions.
const largeQueue = 24

// fairness sees in which order the server hands out what waits: on a queue of
// its own, workflows that do nothing, which are deleted again. Whether the
// server is fair is a switch of its operator's that no client can read.
func (r *report) fairness(ctx context.Context, conn client.Client, namespace string) {
	order, err := tryOrder(ctx, conn, namespace)
	if err != nil {
		r.warn("priority and fairness", "could not be tried: "+oneLine(err), "let these credentials start and run workflows in the namespace")
		return
	}
	r.judge(order)
}

// judge reads the teams in the order in which they were begun.
func (r *report) judge(order []string) {
	half := len(order) / 2
	switch {
	case slices.Index(order, urgent) >= half:
		r.warn("priority and fairness", "what is urgent waits behind what is not: a job's priority and team have no effect",
			"set matching.useNewMatcher and matching.enableFairness to true in the server's dynamic configuration")
	case slices.Index(order, small) >= half:
		r.warn("priority and fairness", "a small team waits behind a large one: a job's team has no effect",
			"set matching.enableFairness to true in the server's dynamic configuration")
	default:
		r.ok("priority and fairness", "what is urgent comes first, and a small team does not wait for a large one")
	}
}

// tryOrder queues workflows of the teams, then lets a worker take them.
func tryOrder(ctx context.Context, conn client.Client, namespace string) ([]string, error) {
	p := orderProbe{conn: conn, namespace: namespace, queue: "winnow-doctor-" + rand.Text()[:8]}
	defer p.forget(context.WithoutCancel(ctx))
	for range largeQueue {
		p.start(ctx, temporal.Priority{FairnessKey: large})
	}
	p.start(ctx, temporal.Priority{FairnessKey: small})
	p.start(ctx, temporal.Priority{FairnessKey: urgent, PriorityKey: 1})
	if p.failed != nil {
		return nil, p.failed
	}
	p.awaitBacklog(ctx)
	err := p.work(ctx)
	return p.order, err
}

type orderProbe struct {
	conn      client.Client
	namespace string
	queue     string
	runs      []client.WorkflowRun
	failed    error

	mu    sync.Mutex
	order []string // teams, as they were begun
}

const probeWorkflow = "winnow-doctor"

func (p *orderProbe) start(ctx context.Context, priority temporal.Priority) {
	if p.failed != nil {
		return
	}
	run, err := p.conn.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID: fmt.Sprintf("%s-%d", p.queue, len(p.runs)), TaskQueue: p.queue, Priority: priority,
		WorkflowExecutionTimeout: time.Minute,
	}, probeWorkflow, priority.FairnessKey)
	if err != nil {
		p.failed = err
		return
	}
	p.runs = append(p.runs, run)
}

// backlogLimit bounds waiting for a server that does not tell what waits.
const backlogLimit = 5 * time.Second

// awaitBacklog waits until all that was started waits in the queue.
func (p *orderProbe) awaitBacklog(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, backlogLimit)
	defer cancel()
	for wait.Sleep(ctx, 50*time.Millisecond) == nil {
		d, err := p.conn.WorkflowService().DescribeTaskQueue(ctx, &workflowservice.DescribeTaskQueueRequest{
			Namespace: p.namespace, TaskQueue: &taskqueue.TaskQueue{Name: p.queue},
			TaskQueueType: enums.TASK_QUEUE_TYPE_WORKFLOW, ReportStats: true,
		})
		if err == nil && d.GetStats().GetApproximateBacklogCount() >= int64(len(p.runs)) {
			return
		}
	}
}

// work begins the workflows, as few at a time as the SDK allows.
func (p *orderProbe) work(ctx context.Context) error {
	const least = 2
	w := worker.New(p.conn, p.queue, worker.Options{
		MaxConcurrentWorkflowTaskExecutionSize: least, MaxConcurrentWorkflowTaskPollers: least, LocalActivityWorkerOnly: true,
	})
	w.RegisterWorkflowWithOptions(p.note, workflow.RegisterOptions{Name: probeWorkflow})
	if err := w.Start(); err != nil {
		return err
	}
	defer w.Stop()
	for _, run := range p.runs {
		if err := run.Get(ctx, nil); err != nil {
			return err
		}
	}
	return nil
}

// note is the workflow.
func (p *orderProbe) note(_ workflow.Context, team string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.order = append(p.order, team)
	return nil
}

// forget deletes the workflows; those that it may not delete age out.
func (p *orderProbe) forget(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	for _, run := range p.runs {
		_, _ = p.conn.WorkflowService().DeleteWorkflowExecution(ctx, &workflowservice.DeleteWorkflowExecutionRequest{
			Namespace:         p.namespace,
			WorkflowExecution: &common.WorkflowExecution{WorkflowId: run.GetID(), RunId: run.GetRunID()},
		})
	}
}
