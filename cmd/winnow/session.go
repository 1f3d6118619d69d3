package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/winnow-video/winnow/cmd/winnow/supervise"
	"github.com/winnow-video/winnow/workflows/control"
	"github.com/winnow-video/winnow/workflows/job"
)

// session is a share in the running stack with connections open.
type session struct {
	*supervise.Session
	conn *connections
	jobs *control.Jobs
}

// attach uses the services outside, if the user named any, else the stack of --state.
func (a *app) attach(ctx context.Context) (*session, error) {
	outside, err := a.outsideServices()
	if err != nil {
		return nil, err
	}
	if outside != nil {
		return open(ctx, supervise.Elsewhere(*outside))
	}
	return a.share(ctx)
}

// share shares the stack of --state, starting one where none runs, with these
// further arguments of `winnow up`.
func (a *app) share(ctx context.Context, args ...string) (*session, error) {
	state, err := filepath.Abs(a.state)
	if err != nil {
		return nil, err
	}
	a.state = state
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	starter := supervise.Starter{Program: self, Args: append(args, a.outside.Args()...)}
	if starter.Outside, err = a.outsideServices(); err != nil {
		return nil, err
	}
	share, err := supervise.Attach(ctx, state, starter, a.tell)
	if err != nil {
		return nil, err
	}
	return open(ctx, share)
}

// open connects to the services of a share, or gives it back.
func open(ctx context.Context, share *supervise.Session) (*session, error) {
	conn, err := dial(ctx, share.Services, slog.New(slog.DiscardHandler))
	if err != nil {
		share.Close()
		return nil, err
	}
	return &session{Session: share, conn: conn, jobs: control.New(conn.temporal, conn.store, conn.bus)}, nil
}

func (s *session) close() {
	s.conn.close()
	s.Close()
}

// tell prints what the user is waiting for.
func (a *app) tell(text string) { fmt.Fprintln(a.err, text) }

// withJob runs do on the job that the command's one argument names.
func (a *app) withJob(do func(ctx context.Context, s *session, id job.ID) error) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, args []string) error {
		id, err := job.ParseID(args[0])
		if err != nil {
			return usageError(err)
		}
		s, err := a.attach(c.Context())
		if err != nil {
			return err
		}
		defer s.close()
		return do(c.Context(), s, id)
	}
}
