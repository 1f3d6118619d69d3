package source

import (
	"context"
	"time"

	"github.com/winnow-video/winnow/workflows/wait"
)

// WaitPaused waits until the origin of a URL is paused.
func WaitPaused(ctx context.Context, o *Origins, video string) {
	for at := o.ofURL(video); at.pauseLeft() <= 0 && ctx.Err() == nil; {
		_ = wait.Sleep(ctx, time.Millisecond)
	}
}
