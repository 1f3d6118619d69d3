package bus

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
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
	callers callersSnapshot
}

// Connect connects and makes the streams and buckets that are absent. One with
// other settings is ErrSettings; no answer is ErrUnavailable.
func Connect(ctx context.Context, c Config) (*Bus, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	b := newBus(c)
	if err := b.dial(); err != nil {
		return nil, c.explain(err)
	}
	if err := b.ensureStreams(ctx); err != nil {
		b.Close()
		return nil, c.explain(err)
	}
	return b, nil
}

func newBus(c Config) *Bus {
	return &Bus{config: c.WithDefaults(), closed: make(chan struct{}), ensured: map[Class]bool{}, serving: map[string]directorySnapshot{}}
}

func (b *Bus) dial() error {
	options, err := b.config.options()
	if err != nil {
		return err
	}
	options = append(options,
		nats.MaxReconnects(-1),
		nats.ReconnectWait(250*time.Millisecond),
		nats.DrainTimeout(drainLimit),
		nats.ClosedHandler(func(*nats.Conn) { close(b.closed) }),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			b.config.Logger.Warn("nats", "error", err)
		}),
	)
	if b.conn, err = nats.Connect(b.config.URL, options...); err != nil {
		return err
	}
	b.js, err = jetstream.New(b.conn)
	return err
}

// options are who asks, and whom it believes.
func (c Config) options() ([]nats.Option, error) {
	options := []nats.Option{nats.Name(c.Name)}
	switch {
	case c.CredsFile != "":
		if _, err := os.Stat(c.CredsFile); err != nil {
			return nil, fmt.Errorf("nats.creds_file: %w", err)
		}
		options = append(options, nats.UserCredentials(c.CredsFile))
	case c.User != "":
		options = append(options, nats.UserInfo(c.User, c.Password))
	}
	if c.TLS.Wanted() {
		trusted, err := c.TLS.Config("nats.tls")
		if err != nil {
			return nil, err
		}
		options = append(options, nats.Secure(trusted))
	}
	return options, nil
}

// explain says in one line what is in the way, and what to do about it.
func (c Config) explain(err error) error {
	mend := ""
	switch {
	case errors.Is(err, ErrSettings):
		return fmt.Errorf("nats at %s: %w", c.URL, err)
	case errors.Is(err, nats.ErrAuthorization), errors.Is(err, nats.ErrAuthExpired), errors.Is(err, nats.ErrAuthRevoked):
		mend = "check nats.user and nats.password, or nats.creds_file"
	case errors.Is(err, jetstream.ErrJetStreamNotEnabled), errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount):
		mend = "switch JetStream on for the server and for this account"
	case errors.Is(err, nats.ErrSecureConnRequired), errors.Is(err, nats.ErrSecureConnWanted), isCertificate(err):
		mend = "check nats.tls, and whether the server speaks TLS"
	case errors.Is(err, fs.ErrNotExist):
		return err
	default:
		mend = "look whether the server runs and nats.urls is right"
	}
	return fmt.Errorf("nats at %s: %w: %s", c.URL, unavailable(err), mend)
}

func isCertificate(err error) bool {
	var verify *tls.CertificateVerificationError
	return errors.As(err, &verify) || strings.Contains(err.Error(), "x509:") || strings.Contains(err.Error(), "tls:")
}

// Check asks the server for a sign of life. Without one it is ErrUnavailable.
func (b *Bus) Check(ctx context.Context) error {
	if !b.conn.IsConnected() {
		return fmt.Errorf("%w: not connected", ErrUnavailable)
	}
	return unavailable(b.conn.FlushWithContext(ctx))
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
