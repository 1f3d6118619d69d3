package stack

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
)

// Temporal says where Temporal's frontend is. Both fields are required.
type Temporal struct {
	Address   string `json:"address"` // host:port
	Namespace string `json:"namespace"`
}

// Validate names the first field that is missing.
func (t Temporal) Validate() error {
	switch {
	case t.Address == "":
		return errors.New("temporal.address is missing")
	case t.Namespace == "":
		return errors.New("temporal.namespace is missing")
	}
	return nil
}

// Dial connects, and fails where the frontend does not answer. The SDK's own
// warnings go to logger.
func (t Temporal) Dial(ctx context.Context, logger *slog.Logger) (client.Client, error) {
	if err := t.Validate(); err != nil {
		return nil, err
	}
	c, err := client.DialContext(ctx, client.Options{
		HostPort:  t.Address,
		Namespace: t.Namespace,
		Logger:    log.NewStructuredLogger(logger),
	})
	if err != nil {
		return nil, fmt.Errorf("temporal at %s: %w", t.Address, err)
	}
	return c, nil
}
