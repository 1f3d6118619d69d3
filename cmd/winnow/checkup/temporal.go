package checkup

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

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
	r.attributes(ctx, conn, c.Namespace, o.Fix)
	fair := r.version(ctx, conn)
	if o.Outside {
		r.pollers(ctx, conn, c.Namespace)
	}
	if o.Outside && fair {
		r.fairness(ctx, conn, c.Namespace)
	}
	return r.found
}

func (r *report) pollers(ctx context.Context, conn client.Client, namespace string) {
	missing, err := Unserved(ctx, conn)
	if len(missing) > 0 {
		r.warn("workers", "nobody serves task queue "+strings.Join(missing, ", "), "start `winnow worker`, or `winnow up`, before or after submitting")
		return
	}
	if err != nil {
		r.warn("workers", "who serves the task queues is not known: "+err.Error(), "`winnow doctor` again in a moment: a new namespace takes some seconds")
		return
	}
	if why := NotCurrent(ctx, conn, namespace); why != "" {
		r.warn("workers", why, "jobs that begin wait until it is done")
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

// attributes looks whether jobs can be found by what they are, and makes it so with fix.
func (r *report) attributes(ctx context.Context, conn client.Client, namespace string, fix bool) {
	const check = "search attributes"
	mend := "Temporal's console cannot find jobs by team without: `winnow doctor --fix` makes them, with the rights of an operator"
	have, err := conn.OperatorService().ListSearchAttributes(ctx, &operatorservice.ListSearchAttributesRequest{Namespace: namespace})
	if err != nil {
		r.warn(check, oneLine(err), mend)
		return
	}
	absent := map[string]enums.IndexedValueType{}
	for _, a := range []temporal.SearchAttributeKeyKeyword{workflows.JobAttribute, workflows.TeamAttribute} {
		if _, there := have.GetCustomAttributes()[a.GetName()]; !there {
			absent[a.GetName()] = enums.INDEXED_VALUE_TYPE_KEYWORD
		}
	}
	names := strings.Join(slices.Sorted(maps.Keys(absent)), ", ")
	switch {
	case len(absent) == 0:
		r.ok(check, "%s and %s", workflows.JobAttribute.GetName(), workflows.TeamAttribute.GetName())
		return
	case !fix:
		r.warn(check, names+" are not there", mend)
		return
	}
	_, err = conn.OperatorService().AddSearchAttributes(ctx, &operatorservice.AddSearchAttributesRequest{Namespace: namespace, SearchAttributes: absent})
	if err != nil {
		r.warn(check, oneLine(err), "let these credentials add search attributes, or have an operator add "+names+" as keywords; jobs run without")
		return
	}
	r.ok(check, "made %s", names)
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

// Unserved lists the task queues of Winnow's that no worker polls; the error is of
// those that cannot be described.
func Unserved(ctx context.Context, conn client.Client) (missing []string, err error) {
	for _, queue := range []string{workflows.QueueMain, workflows.QueueCall, workflows.QueueDecode} {
		d, failed := conn.DescribeTaskQueue(ctx, queue, enums.TASK_QUEUE_TYPE_ACTIVITY)
		if failed != nil {
			err = failed
		} else if len(d.GetPollers()) == 0 {
			missing = append(missing, queue)
		}
	}
	return missing, err
}
