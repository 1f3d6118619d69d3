// Package wait is how whoever was asked to wait does so: RetryAfter reads for
// how long an HTTP server asks, Sleep waits no longer than a context lasts.
// Sources of videos, language servers and the supervisor wait through it.
package wait

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Sleep waits for d. The error is ctx's, if that ends first or has ended.
func Sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// RetryAfter is how long an answer asks to wait (RFC 9110, 10.2.3), at most a
// day; 0 where it does not say, or nothing sensible. A date is taken by the clock
// of who wrote it.
func RetryAfter(header http.Header) time.Duration {
	const longest = 24 * time.Hour
	text := strings.TrimSpace(header.Get("Retry-After"))
	if seconds, err := strconv.ParseInt(text, 10, 64); err == nil {
		return time.Duration(min(max(seconds, 0), int64(longest/time.Second))) * time.Second
	}
	at, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	now, err := http.ParseTime(header.Get("Date"))
	if err != nil {
		now = time.Now()
	}
	return min(max(at.Sub(now), 0), longest)
}
