package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/winnow-video/winnow/cmd/winnow/checkup"
	"github.com/winnow-video/winnow/workflows/bus"
	"github.com/winnow-video/winnow/workflows/job"
)

// tellWaiting says what a job on services outside waits for, unless it waits for
// nothing that runs. Who cannot be asked is passed over: the job is in their hands.
// The embedded stack sees to its workers itself.
func (a *app) tellWaiting(ctx context.Context, s *session, id job.ID) {
	if !a.outside.Given() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if queues, _ := checkup.Unserved(ctx, s.conn.temporal); len(queues) > 0 {
		a.tell(fmt.Sprintf("the job waits: nobody serves task queue %s: start `winnow worker`", strings.Join(queues, ", ")))
	}
	if why := checkup.NotCurrent(ctx, s.conn.temporal, s.Services.Temporal.Namespace); why != "" {
		a.tell("what begins waits: " + why)
	}
	one, err := s.jobs.Show(ctx, id)
	if err != nil {
		return
	}
	workers, err := s.conn.bus.Workers(ctx)
	if err == nil && !slices.ContainsFunc(workers, func(w bus.Worker) bool { return w.Bundle == one.Bundle }) {
		a.tell(fmt.Sprintf("nobody serves bundle %.12s yet: start `winnow-infer --bundle %s`; items that wait in vain end as capacity/no_worker", one.Bundle, one.Spec.Bundle))
	}
}
