package main

import (
	"context"
	"log/slog"

	"go.temporal.io/sdk/client"

	"github.com/winnow-video/winnow/workflows/artifact/s3store"
	"github.com/winnow-video/winnow/workflows/bus"
	"github.com/winnow-video/winnow/workflows/monitor"
	"github.com/winnow-video/winnow/workflows/stack"
)

// connections are open connections to a stack's services.
type connections struct {
	temporal client.Client
	store    *s3store.Store
	bus      *bus.Bus
}

// dial opens all three, or none.
func dial(ctx context.Context, services stack.Services, log *slog.Logger) (*connections, error) {
	var c connections
	var err error
	if c.temporal, err = services.Temporal.Dial(ctx, log); err != nil {
		return nil, err
	}
	if c.store, err = s3store.Open(ctx, services.S3); err != nil {
		c.temporal.Close()
		return nil, err
	}
	if c.bus, err = bus.Connect(ctx, services.NATS); err != nil {
		c.temporal.Close()
		return nil, err
	}
	return &c, nil
}

// outsideServices are the services that the user named, complete; nil where the
// embedded stack is meant.
func (a *app) outsideServices() (*stack.Services, error) {
	if !a.outside.Given() {
		return nil, nil
	}
	services, err := a.outside.Services()
	if err != nil {
		return nil, usageError(err)
	}
	if err := services.Validate(); err != nil {
		return nil, usagef("services: %v; `winnow help services` lists how each can be said", err)
	}
	return &services, nil
}

// runningServices are the services outside, else those of the stack that runs in --state.
func (a *app) runningServices() (stack.Services, error) {
	outside, err := a.outsideServices()
	if err != nil {
		return stack.Services{}, err
	}
	if outside != nil {
		return *outside, nil
	}
	return stack.ReadState(a.state)
}

// checks look whether the services answer.
func (c *connections) checks() monitor.Checks {
	return monitor.Checks{
		"temporal": func(ctx context.Context) error {
			_, err := c.temporal.CheckHealth(ctx, &client.CheckHealthRequest{})
			return err
		},
		"nats": c.bus.Check,
		"s3":   monitor.Storage(c.store),
	}
}

func (c *connections) close() {
	c.bus.Close()
	c.temporal.Close()
}
