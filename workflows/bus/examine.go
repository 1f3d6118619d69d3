package bus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Server is a NATS server as it was found.
type Server struct {
	URL        string // that answered
	Version    string
	RTT        time.Duration
	TLS        bool
	MaxPayload int64 // bytes
	Account    *jetstream.AccountInfo
	Holdings   []Holding
	Workers    []Worker // of the directory, where there is one
}

// Holding is a stream or a bucket of Winnow's.
type Holding struct {
	Name   string // "stream WINNOW_INFER"
	Absent bool   // the first program that connects makes it
	Made   bool   // just now
	Err    error  // ErrSettings with the differences, or why it cannot be looked at
}

// Examine looks at a server and at what of Winnow's it holds. With fix it makes
// what is absent; it never changes what is there.
func Examine(ctx context.Context, c Config, fix bool) (Server, error) {
	if err := c.Validate(); err != nil {
		return Server{}, err
	}
	b := newBus(c)
	if err := b.dial(); err != nil {
		return Server{}, b.config.explain(err)
	}
	defer b.Close()
	account, err := b.js.AccountInfo(ctx)
	if err != nil {
		return Server{}, b.config.explain(err)
	}
	rtt, err := b.conn.RTT()
	if err != nil {
		return Server{}, b.config.explain(err)
	}
	_, plain := b.conn.TLSConnectionState()
	s := Server{
		URL: b.conn.ConnectedUrlRedacted(), Version: b.conn.ConnectedServerVersion(), RTT: rtt,
		TLS: plain == nil, MaxPayload: b.conn.MaxPayload(), Account: account,
	}
	for _, stream := range streams(b.config) {
		s.Holdings = append(s.Holdings, b.examineStream(ctx, stream, fix))
	}
	for _, bucket := range buckets(b.config) {
		s.Holdings = append(s.Holdings, b.examineBucket(ctx, bucket, fix))
	}
	s.Workers, err = b.Workers(ctx)
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		err = nil
	}
	return s, err
}

func (b *Bus) examineStream(ctx context.Context, want jetstream.StreamConfig, fix bool) Holding {
	h := Holding{Name: "stream " + want.Name}
	stream, err := b.js.Stream(ctx, want.Name)
	switch {
	case errors.Is(err, jetstream.ErrStreamNotFound) && fix:
		h.Made, h.Err = true, b.ensureStream(ctx, want)
	case errors.Is(err, jetstream.ErrStreamNotFound):
		h.Absent = true
	case err != nil:
		h.Err = fmt.Errorf("%s: %w", h.Name, err)
	default:
		h.Err = refuse(h.Name, streamSettings(stream.CachedInfo().Config), streamSettings(want))
	}
	return h
}

func (b *Bus) examineBucket(ctx context.Context, want jetstream.KeyValueConfig, fix bool) Holding {
	h := Holding{Name: "bucket " + want.Bucket}
	bucket, err := b.js.KeyValue(ctx, want.Bucket)
	switch {
	case errors.Is(err, jetstream.ErrBucketNotFound) && fix:
		h.Made, h.Err = true, b.ensureBucket(ctx, want)
	case errors.Is(err, jetstream.ErrBucketNotFound):
		h.Absent = true
	case err != nil:
		h.Err = fmt.Errorf("%s: %w", h.Name, err)
	default:
		h.Err = differs(ctx, bucket, want)
	}
	return h
}
