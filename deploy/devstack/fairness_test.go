package main

import (
	"fmt"
	"slices"
	"sync"
	"syscall"
	"testing"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

// TestFairness queues many workflows of a large team, then some of a small team, then an urgent one, and lets one worker take them. In
// order of arrival the small team would come last; with fairness it does not wait for the whole of the large one, and the urgent
// one is first.
func TestFairness(t *testing.T) {
	t.Parallel()
	in := startIn(t, t.TempDir())
	c := in.temporalClient(t)
	var queued []client.WorkflowRun
	for range 40 {
		queued = append(queued, queue(t, c, len(queued), temporal.Priority{FairnessKey: "large"}))
	}
	for range 2 {
		queued = append(queued, queue(t, c, len(queued), temporal.Priority{FairnessKey: "small"}))
	}
	queued = append(queued, queue(t, c, len(queued), temporal.Priority{FairnessKey: "urgent", PriorityKey: 1}))

	order := orderOfStart(t, c, queued)
	const near = 6 // a few are under way at once, so positions are not exact
	if at := slices.Index(order, "urgent"); at >= near {
		t.Errorf("the urgent workflow started at position %d: %v", at, order)
	}
	order = slices.DeleteFunc(order, func(team string) bool { return team == "urgent" })
	slices.Reverse(order)
	if last := len(order) - 1 - slices.Index(order, "small"); last >= len(order)/2 {
		t.Errorf("the small team's last workflow started at position %d of %d", last, len(order))
	}
	in.stop(t, syscall.SIGTERM)
}

const fairQueue = "fairness"

// queue starts a workflow that nobody takes yet. Its argument is its team.
func queue(t *testing.T, c client.Client, i int, p temporal.Priority) client.WorkflowRun {
	t.Helper()
	run, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: fmt.Sprintf("w%d", i), TaskQueue: fairQueue, Priority: p}, "note", p.FairnessKey)
	if err != nil {
		t.Fatal(err)
	}
	return run
}

// orderOfStart runs what is queued and returns the teams in the order in which the worker was given their workflows.
func orderOfStart(t *testing.T, c client.Client, queued []client.WorkflowRun) []string {
	t.Helper()
	var mu sync.Mutex
	var order []string
	note := func(_ workflow.Context, team string) error {
		mu.Lock()
		defer mu.Unlock()
		order = append(order, team)
		return nil
	}
	const least = 2 // the SDK takes no fewer
	w := worker.New(c, fairQueue, worker.Options{MaxConcurrentWorkflowTaskExecutionSize: least, MaxConcurrentWorkflowTaskPollers: least})
	w.RegisterWorkflowWithOptions(note, workflow.RegisterOptions{Name: "note"})
	if err := w.Start(); err != nil {
		t.Fatal(err)
	}
	defer w.Stop()
	for _, run := range queued {
		if err := run.Get(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
	}
	return order
}
