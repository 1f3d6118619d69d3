package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/winnow-video/winnow/workflows/control"
	"github.com/winnow-video/winnow/workflows/stack"
)

// programs are what was built, and the bundle they are run with.
type programs struct {
	bin    string // folder of winnow, winnow-decode, winnow-infer and winnow-devstack
	bundle string // folder
}

func (p programs) path(name string) string { return filepath.Join(p.bin, name) }

// ground is a stack on an empty folder, and a client of it.
type ground struct {
	*connections
	programs
	state string
	stack *child
	jobs  *control.Jobs
}

func newGround(ctx context.Context, p programs) (*ground, error) {
	g := &ground{programs: p}
	var err error
	if g.state, err = os.MkdirTemp("", "winnow-bench-scale-"); err != nil {
		return nil, err
	}
	if err := g.start(ctx); err != nil {
		return nil, errors.Join(err, g.close())
	}
	return g, nil
}

func (g *ground) start(ctx context.Context) (err error) {
	var services stack.Services
	if g.stack, services, err = devstack(ctx, g.path("winnow-devstack"), g.state); err != nil {
		return err
	}
	if g.connections, err = connect(ctx, services, slog.New(slog.DiscardHandler)); err != nil {
		return err
	}
	g.jobs = control.New(g.temporal, g.store, g.bus)
	return nil
}

// close stops the stack and removes its folder.
func (g *ground) close() (err error) {
	if g.connections != nil {
		g.connections.close()
	}
	if g.stack != nil {
		err = g.stack.stop()
	}
	return errors.Join(err, os.RemoveAll(g.state))
}
