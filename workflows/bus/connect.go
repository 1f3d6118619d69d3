package bus

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// drainLimit bounds how long Close waits for what is on its way.
const drainLimit = 5 * time.Second

// Bus is a connection to JetStream, with the streams and buckets in place. It
// connects again by itself for as long as it lives.
type Bus struct {
	config  Config
	conn    *nats.Conn
	js      jetstream.JetStream
	closed  chan struct{}
	mu      sync.Mutex
	ensured map[Class]bool               // durables this Bus has seen
	serving map[string]directorySnapshot // by bundle
}

// Connect connects and makes the streams and buckets that are absent. One with
// other settings is ErrSettings; no answer is ErrUnavailable.
func Connect(ctx context.Context, c Config) (*Bus, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	c = c.WithDefaults()
	b := &Bus{config: c, closed: make(chan struct{}), ensured: map[Class]bool{}, serving: map[string]directorySnapshot{}}
	if err := b.dial(); err != nil {
		return nil, fmt.Errorf("nats at %s: %w", c.URL, unavailable(err))
	}
	if err := b.ensureStreams(ctx); err != nil {
		b.Close()
		return nil, fmt.Errorf("nats at %s: %w", c.URL, unavailable(err))
	}
	return b, nil
}

func (b *Bus) dial() (err error) {
	b.conn, err = nats.Connect(b.config.URL,
		nats.Name(b.config.Name),
		nats.UserInfo(b.config.User, b.config.Password),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(250*time.Millisecond),
		nats.DrainTimeout(drainLimit),
		nats.ClosedHandler(func(*nats.Conn) { close(b.closed) }),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			b.config.Logger.Warn("nats", "error", err)
		}),
	)
	if err != nil {
		return err
	}
	b.js, err = jetstream.New(b.conn)
	return err
}

// Close lets what is on its way arrive, then disconnects. It may be called again.
func (b *Bus) Close() {
	if err := b.conn.Drain(); err != nil { // it is closed, or there is nobody to drain to
		b.conn.Close()
	}
	select {
	case <-b.closed:
	case <-time.After(drainLimit + time.Second):
		b.conn.Close()
	}
}

// ErrUnavailable is the error of a NATS that does not answer: waiting helps.
var ErrUnavailable = errors.New("the queue does not answer")

// unavailable marks errors that pass by waiting: all but refusals.
func unavailable(err error) error {
	var api *jetstream.APIError
	answered := errors.As(err, &api) && api.Code < 500
	if err == nil || answered || errors.Is(err, ErrSettings) || errors.Is(err, nats.ErrAuthorization) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}
