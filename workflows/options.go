package workflows

import (
	"time"

	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

// Every timeout and retry of the workflows stands in this file. Whether an
// error is worth another attempt at all is decided by package workers.

// HeartbeatTimeout is how long an activity may be silent before its worker counts as dead.
const HeartbeatTimeout = 20 * time.Second

// walks is how often a Video starts over because an artifact it had seen was gone.
const walks = 3

func onQueue(queue string) workflow.ActivityOptions {
	return workflow.ActivityOptions{
		TaskQueue:           queue,
		StartToCloseTimeout: 24 * time.Hour, // each stage enforces its own, far lower limits
		HeartbeatTimeout:    HeartbeatTimeout,
		WaitForCancellation: true,
		RetryPolicy:         backoff(20),
	}
}

// untilDone never gives up on the stage that turns outcomes into files: only a
// definite failure ends it.
func untilDone(queue string) workflow.ActivityOptions {
	o := onQueue(queue)
	o.RetryPolicy = backoff(0)
	return o
}

func inProcess() workflow.LocalActivityOptions {
	return workflow.LocalActivityOptions{
		ScheduleToCloseTimeout: 24 * time.Hour,
		StartToCloseTimeout:    10 * time.Minute,
		RetryPolicy:            backoff(0),
	}
}

// moment is far less than what a workflow task may take, and enough for an answer
// from an origin that is awake, or the digest of a few GB that lie here.
func moment() workflow.LocalActivityOptions {
	return workflow.LocalActivityOptions{
		ScheduleToCloseTimeout: 4 * time.Second,
		StartToCloseTimeout:    3 * time.Second,
		RetryPolicy:            backoff(1),
	}
}

func backoff(attempts int32) *temporal.RetryPolicy {
	return &temporal.RetryPolicy{
		InitialInterval:    time.Second,
		BackoffCoefficient: 2,
		MaximumInterval:    time.Minute,
		MaximumAttempts:    attempts, // 0: no bound
	}
}

func child(id string) workflow.ChildWorkflowOptions {
	return workflow.ChildWorkflowOptions{
		WorkflowID:            id,
		TaskQueue:             QueueMain,
		WaitForCancellation:   true,
		ParentClosePolicy:     enums.PARENT_CLOSE_POLICY_REQUEST_CANCEL,
		WorkflowIDReusePolicy: enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
	}
}
