package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/winnow-video/winnow/cmd/winnow/checkup"
	"github.com/winnow-video/winnow/workflows/bus"
)

// tellWaiting says what a job that was submitted to services outside waits
// for. Who cannot be asked is not waited for: the job is submitted.
func (a *app) tellWaiting(ctx context.Context, s *session, p *plan) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if queues := checkup.Unserved(ctx, s.conn.temporal); len(queues) > 0 {
		a.tell(fmt.Sprintf("the job waits: nobody serves task queue %s: start `winnow worker`", strings.Join(queues, ", ")))
	}
	workers, err := s.conn.bus.Workers(ctx)
	if err == nil && !slices.ContainsFunc(workers, func(w bus.Worker) bool { return w.Bundle == p.digest }) {
		a.tell(fmt.Sprintf("nobody serves bundle %.12s yet: start `winnow-infer --bundle %s`; items that wait in vain end as capacity/no_worker", p.digest, p.spec.Bundle))
	}
}
