package main

import (
	"log/slog"
	"net"
	"net/url"
	"strconv"
	"testing"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"
)

var listAll = minio.ListObjectsOptions{Recursive: true}

// ports are the ports that a ready file announces.
func (in *instance) ports(t *testing.T) ports {
	t.Helper()
	ui, err := url.Parse(in.TemporalUI)
	if err != nil {
		t.Fatal(err)
	}
	bus, err := url.Parse(in.NATS.URL)
	if err != nil {
		t.Fatal(err)
	}
	return ports{
		Temporal:   portOf(t, in.Temporal.Address),
		TemporalUI: portOf(t, ui.Host),
		NATS:       portOf(t, bus.Host),
		S3:         portOf(t, in.S3.Endpoint),
	}
}

func portOf(t *testing.T, address string) int {
	t.Helper()
	host, port, err := net.SplitHostPort(address)
	if err != nil || host != loopback {
		t.Fatalf("address %q: %v, want one on %s", address, err, loopback)
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func (in *instance) secrets() secrets { return secrets{V: 1, NATS: in.NATS.natsKey, S3: in.S3.s3Key} }

func (in *instance) temporalClient(t *testing.T) client.Client {
	t.Helper()
	c, err := client.DialContext(t.Context(), client.Options{
		HostPort:  in.Temporal.Address,
		Namespace: in.Temporal.Namespace,
		Logger:    sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler)),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func (in *instance) jetStream(t *testing.T) jetstream.JetStream {
	t.Helper()
	conn, err := nats.Connect(in.NATS.URL, nats.UserInfo(in.NATS.User, in.NATS.Password))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	return js
}

func (in *instance) s3Client(t *testing.T) *minio.Client {
	t.Helper()
	return s3ClientWith(t, in.S3.Endpoint, in.S3.s3Key)
}

func s3ClientWith(t *testing.T, endpoint string, key s3Key) *minio.Client {
	t.Helper()
	c, err := minio.New(endpoint, &minio.Options{Creds: credentials.NewStaticV4(key.Access, key.Secret, ""), Region: s3Region})
	if err != nil {
		t.Fatal(err)
	}
	return c
}
