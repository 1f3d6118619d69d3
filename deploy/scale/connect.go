package main

import (
	"context"
	"log/slog"

	"go.temporal.io/sdk/client"

	"github.com/winnow-video/winnow/workflows/artifact/s3store"
	"github.com/winnow-video/winnow/workflows/bus"
	"github.com/winnow-video/winnow/workflows/stack"
)

// connections are open connections to a stack's services.
type connections struct {
	temporal client.Client
	store    *s3store.Store
	bus      *bus.Bus
}

// connect opens all three, or none.
func connect(ctx context.Context, services stack.Services, log *slog.Logger) (*connections, error) {
	temporal, err := services.Temporal.Dial(ctx, log)
	if err != nil {
		return nil, err
	}
	store, err := s3store.Open(ctx, services.S3)
	if err != nil {
		temporal.Close()
		return nil, err
	}
	services.NATS.Logger = log
	b, err := bus.Connect(ctx, services.NATS)
	if err != nil {
		temporal.Close()
		return nil, err
	}
	return &connections{temporal, store, b}, nil
}

func (c *connections) close() {
	c.bus.Close()
	c.temporal.Close()
}
