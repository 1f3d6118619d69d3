package checkup

import (
	"context"
	"fmt"
	"slices"
	"strings"

	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"github.com/winnow-video/winnow/workflows"
)

// NotCurrent says why nobody begins a job although there are workers: they are
// versioned, and none is of the release that is current. Empty where that is not so,
// or cannot be told.
func NotCurrent(ctx context.Context, conn client.Client, namespace string) string {
	d, err := conn.WorkflowService().DescribeTaskQueue(ctx, &workflowservice.DescribeTaskQueueRequest{
		Namespace: namespace, TaskQueue: &taskqueue.TaskQueue{Name: workflows.QueueMain}, TaskQueueType: enums.TASK_QUEUE_TYPE_WORKFLOW,
	})
	if err != nil || len(d.GetPollers()) == 0 {
		return ""
	}
	current := release{d.GetVersioningInfo().GetCurrentDeploymentVersion().GetDeploymentName(), d.GetVersioningInfo().GetCurrentDeploymentVersion().GetBuildId()}
	var there []string
	for _, p := range d.GetPollers() {
		of := releaseOf(p)
		if of == current {
			return ""
		}
		if !slices.Contains(there, of.String()) {
			there = append(there, of.String())
		}
	}
	slices.Sort(there)
	return fmt.Sprintf("current is %v, and task queue %s is served by %s: `temporal worker deployment set-current-version` makes a release current",
		current, workflows.QueueMain, strings.Join(there, ", "))
}

// release is a deployment's build; zero: without versioning.
type release struct{ deployment, build string }

func releaseOf(p *taskqueue.PollerInfo) release {
	o := p.GetDeploymentOptions()
	if o.GetWorkerVersioningMode() != enums.WORKER_VERSIONING_MODE_VERSIONED {
		return release{}
	}
	return release{o.GetDeploymentName(), o.GetBuildId()}
}

// String names it for people.
func (r release) String() string {
	if r == (release{}) {
		return "a worker without --deployment"
	}
	return fmt.Sprintf("release %s of deployment %s", r.build, r.deployment)
}
