package source

import (
	"context"
	"net/http"
	"time"
)

// WaitPaused waits until the origin of a URL is paused.
func WaitPaused(ctx context.Context, o *Origins, video string) {
	for at := o.ofURL(video); at.pauseLeft() <= 0 && ctx.Err() == nil; {
		_ = sleep(ctx, time.Millisecond)
	}
}

// RetryAfter shows tests how a header is read.
func RetryAfter(header http.Header) time.Duration { return retryAfter(header) }
