package s3store

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/minio/minio-go/v7"

	"github.com/winnow-video/winnow/workflows/artifact"
)

// classify says what a caller can do about a request that failed for good.
// Whoever canceled it hears that, not that the storage is away.
func classify(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var response minio.ErrorResponse
	if !errors.As(err, &response) {
		return fmt.Errorf("%w: %w", artifact.ErrUnavailable, err)
	}
	switch {
	case response.Code == minio.NoSuchKey:
		return artifact.ErrNotFound
	case isPassing(response.StatusCode):
		return fmt.Errorf("%w: %w", artifact.ErrUnavailable, err)
	}
	return err
}

// isPassing says whether the status is one that goes away by waiting.
func isPassing(status int) bool {
	return status >= 500 || status == http.StatusTooManyRequests || status == http.StatusRequestTimeout
}

// isTaken says whether the error of a conditional PUT is that the key has an
// object, or is just getting one.
func isTaken(err error) bool {
	var response minio.ErrorResponse
	return errors.As(err, &response) &&
		(response.StatusCode == http.StatusPreconditionFailed || response.StatusCode == http.StatusConflict)
}
