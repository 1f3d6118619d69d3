package stacktest

import (
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/winnow-video/winnow/workflows/bus"
)

// RawNATS is the queue of c without Winnow, until t ends.
func RawNATS(t *testing.T, c bus.Config) (*nats.Conn, jetstream.JetStream) {
	t.Helper()
	conn, err := nats.Connect(c.URL, nats.UserInfo(c.User, c.Password))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	return conn, js
}
