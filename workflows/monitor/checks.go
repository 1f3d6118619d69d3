package monitor

import (
	"context"
	"errors"

	"github.com/winnow-video/winnow/workflows/artifact"
)

// absent is an object that nobody makes.
const absent artifact.Key = "v1/readyz"

// Storage looks whether a store answers.
func Storage(store artifact.Store) Check {
	return func(ctx context.Context) error {
		if _, err := store.Stat(ctx, absent); !errors.Is(err, artifact.ErrNotFound) {
			return err
		}
		return nil
	}
}
