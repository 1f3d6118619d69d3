package checkup

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"github.com/winnow-video/winnow/workflows"
	"github.com/winnow-video/winnow/workflows/stack"
)

const (
	leastFairness  = "1.29" // of Temporal's server, for fairness keys
	leastRetention = 24 * time.Hour
)

// Temporal checks the frontend, the namespace, and who serves task queues.
func Temporal(ctx context.Context, c stack.Temporal, o Options) []Finding {
	r := &report{service: "temporal"}
	began := time.Now()
	conn, err := c.Dial(ctx, slog.New(slog.DiscardHandler))
	if err != nil {
		r.wrong("connection", err, "")
		return r.found
	}
	defer conn.Close()
	r.ok("connection", "%s, answers in %v", c.Address, time.Since(began).Round(time.Millisecond))
	r.namespace(ctx, conn, c.Namespace)
	r.ok("search attributes", "Winnow uses none: there is nothing to make")
	fair := r.version(ctx, conn)
	if o.Outside {
		r.pollers(ctx, conn)
	}
	if o.Outside && fair {
		r.fairness(ctx, conn, c.Namespace)
	}
	return r.found
}

func (r *report) pollers(ctx context.Context, conn client.Client) {
	if missing := Unserved(ctx, conn); len(missing) > 0 {
		r.warn("workers", "nobody serves task queue "+strings.Join(missing, ", "), "start `winnow worker`, or `winnow up`, before or after submitting")
		return
	}
	r.ok("workers", "every task queue is served")
}

func (r *report) namespace(ctx context.Context, conn client.Client, name string) {
	d, err := conn.WorkflowService().DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Namespace: name})
	if err != nil {
		r.wrong("namespace", err, "let these credentials describe the namespace")
		return
	}
	state, retention := d.GetNamespaceInfo().GetState(), d.GetConfig().GetWorkflowExecutionRetentionTtl().AsDuration()
	switch {
	case state != enums.NAMESPACE_STATE_REGISTERED:
		r.wrong("namespace", fmt.Errorf("%s is %s", name, state), "set temporal.namespace to one that is registered")
	case retention < leastRetention:
		r.warn("namespace", fmt.Sprintf("%s keeps closed workflows for %v", name, retention),
			fmt.Sprintf("results are in S3 and stay, histories do not: `temporal operator namespace update --namespace %s --retention 168h`", name))
	default:
		r.ok("namespace", "%s keeps closed workflows for %v", name, retention)
	}
}

// version says whether the server is new enough to know priorities and fairness.
func (r *report) version(ctx context.Context, conn client.Client) (fair bool) {
	info, err := conn.WorkflowService().GetSystemInfo(ctx, &workflowservice.GetSystemInfoRequest{})
	if err != nil {
		r.wrong("version", err, "")
		return false
	}
	version := info.GetServerVersion()
	if older(version, leastFairness) {
		r.warn("version", "server "+version, "a job's priority and team have no effect before "+leastFairness+": update the server")
		return false
	}
	r.ok("version", "server %s", version)
	return true
}

// Unserved lists the task queues of Winnow's that no worker polls. A queue
// that cannot be described counts as served.
func Unserved(ctx context.Context, conn client.Client) []string {
	var missing []string
	for _, queue := range []string{workflows.QueueMain, workflows.QueueCall, workflows.QueueDecode} {
		d, err := conn.DescribeTaskQueue(ctx, queue, enums.TASK_QUEUE_TYPE_ACTIVITY)
		if err == nil && len(d.GetPollers()) == 0 {
			missing = append(missing, queue)
		}
	}
	return missing
}
