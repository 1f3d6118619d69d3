package stacktest

import (
	"net"
	"testing"
)

// ClosedPort is an address of this machine, host:port, at which nobody listens.
func ClosedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
