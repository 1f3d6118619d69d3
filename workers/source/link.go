package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/winnow-video/winnow/workflows/wait"
)

// link is the way to a source at an origin.
type link struct {
	origin  *origin
	failure func(context.Context, error) error // what a body that breaks off means
	moved   atomic.Int64
}

// Transferred is how many bytes of ranges have come over the network, those of
// tries that failed included.
func (l *link) Transferred() int64 { return l.moved.Load() }

// fill fills p from the body that open requests, as often as it takes.
func (l *link) fill(ctx context.Context, p []byte, open func(context.Context) (io.ReadCloser, error)) error {
	return l.origin.do(ctx, func(ctx context.Context) error {
		ctx, hush := context.WithCancelCause(ctx)
		defer hush(nil)
		body, err := open(ctx)
		if err != nil {
			return err
		}
		defer body.Close()
		n, err := io.ReadFull(listener{body, l.origin.limits.Silence, hush}, p)
		l.moved.Add(int64(n))
		if err != nil {
			return l.failure(ctx, err)
		}
		return nil
	})
}

// errSilent ends a body that nothing came of for too long.
var errSilent = errors.New("the origin fell silent")

// listener ends the request whose body it reads where nothing comes for too long.
type listener struct {
	body  io.Reader
	limit time.Duration
	hush  context.CancelCauseFunc // of the request
}

// Read implements io.Reader.
func (l listener) Read(p []byte) (int, error) {
	timer := time.AfterFunc(l.limit, func() { l.hush(errSilent) })
	defer timer.Stop()
	return l.body.Read(p)
}

// ended is why the request of ctx is to end, or nil: that its origin fell silent
// is trouble like any other.
func ended(ctx context.Context) error {
	if errors.Is(context.Cause(ctx), errSilent) {
		return nil
	}
	return ctx.Err()
}

// rangeOf is the span of n bytes at off, as Range and Content-Range write it.
func rangeOf(off int64, n int) string { return fmt.Sprintf("%d-%d", off, off+int64(n)-1) }

// hasRange says whether an answer's body is that span.
func hasRange(header http.Header, span string) bool {
	return strings.HasPrefix(header.Get("Content-Range"), "bytes "+span+"/")
}

// asksToWait reads an answer that says "later", or returns nil. RFC 9110, 10.2.3.
func asksToWait(resp *http.Response) *busy {
	switch resp.StatusCode {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return &busy{after: wait.RetryAfter(resp.Header), answer: fmt.Sprintf("it answers %d %s", resp.StatusCode, http.StatusText(resp.StatusCode))}
	}
	return nil
}
