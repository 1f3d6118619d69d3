package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"go.temporal.io/api/common/v1"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

// probeWorkflow proves Temporal ready. Its timer goes through the database and the history queues, not the frontend alone.
func probeWorkflow(ctx workflow.Context) error { return workflow.Sleep(ctx, time.Millisecond) }

// probeTemporal runs probeWorkflow on a worker of its own, and leaves no trace of it in the list of workflows.
func probeTemporal(ctx context.Context, port int) error {
	c, err := client.DialContext(ctx, client.Options{
		HostPort:  address(port),
		Namespace: namespace,
		Logger:    sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler)),
	})
	if err != nil {
		return err
	}
	defer c.Close()
	queue := fmt.Sprintf("winnow-devstack-probe-%d", os.Getpid())
	w := worker.New(c, queue, worker.Options{LocalActivityWorkerOnly: true, MaxConcurrentWorkflowTaskPollers: 2})
	w.RegisterWorkflow(probeWorkflow)
	if err := w.Start(); err != nil {
		return err
	}
	defer w.Stop()
	run, err := c.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID:                       "winnow-devstack-probe",
		TaskQueue:                queue,
		WorkflowExecutionTimeout: time.Minute,
		WorkflowIDConflictPolicy: enums.WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING, // left by a kill while probing
	}, probeWorkflow)
	if err != nil {
		return err
	}
	if err := run.Get(ctx, nil); err != nil {
		return err
	}
	return forget(ctx, c, run)
}

// forget deletes a closed workflow.
func forget(ctx context.Context, c client.Client, run client.WorkflowRun) error {
	_, err := c.WorkflowService().DeleteWorkflowExecution(ctx, &workflowservice.DeleteWorkflowExecutionRequest{
		Namespace:         namespace,
		WorkflowExecution: &common.WorkflowExecution{WorkflowId: run.GetID(), RunId: run.GetRunID()},
	})
	return err
}
