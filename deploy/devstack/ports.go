package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"syscall"
)

// loopback is the only address anything here listens on.
const loopback = "127.0.0.1"

// Chosen ports lie below the range from which the kernel takes ports for outgoing connections (32768 and up), so that
// a port stays free between two starts unless another program asks for it by number.
const firstPort, lastPort = 20000, 31999

// ports are the loopback ports that others connect to. 0 means not chosen yet.
type ports struct {
	Temporal   int `json:"temporal"`
	TemporalUI int `json:"temporal_ui"`
	NATS       int `json:"nats"`
	S3         int `json:"s3"`
}

// namedPort is one port and the flag that sets it.
type namedPort struct {
	flag string
	port *int
}

func (p *ports) all() []namedPort {
	return []namedPort{
		{"temporal-port", &p.Temporal},
		{"temporal-ui-port", &p.TemporalUI},
		{"nats-port", &p.NATS},
		{"s3-port", &p.S3},
	}
}

// internalPorts are Temporal's own: its services call each other through them, and nobody else does.
type internalPorts struct{ history, matching, worker int }

// choosePorts settles every port: the wanted one, else the one remembered from the last start if it is still free, else
// any free one. All of them are held while choosing, so no two are the same.
func choosePorts(wanted, remembered ports) (ports, internalPorts, error) {
	var held holder
	defer held.release()
	chosen, last := wanted.all(), remembered.all()
	for i, p := range chosen {
		if err := held.settle(p, *last[i].port); err != nil {
			return wanted, internalPorts{}, err
		}
	}
	var inner internalPorts
	for _, port := range []*int{&inner.history, &inner.matching, &inner.worker} {
		if err := held.any(port); err != nil {
			return wanted, inner, err
		}
	}
	return wanted, inner, nil
}

// refused says why a port that was asked for cannot be had.
func (p namedPort) refused(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("--%s: port %d is taken on %s: end the program that listens there, give another port, or give 0 to have one chosen",
			p.flag, *p.port, loopback)
	default:
		return fmt.Errorf("--%s: port %d cannot be used: %w", p.flag, *p.port, err)
	}
}

// holder keeps ports from others by listening on them.
type holder []net.Listener

func (h *holder) settle(p namedPort, remembered int) error {
	switch {
	case *p.port != 0:
		return p.refused(h.claim(*p.port))
	case remembered != 0 && h.claim(remembered) == nil:
		*p.port = remembered
		return nil
	default:
		return h.any(p.port)
	}
}

// any claims a free port and stores it. Where the search begins is this process's own: between choosing a port and
// listening on it, another winnow-devstack that starts now could take it.
func (h *holder) any(port *int) error {
	const tries, apart, span = 200, 8, lastPort - firstPort + 1
	for i := range tries {
		*port = firstPort + (os.Getpid()*apart+i)%span
		if h.claim(*port) == nil {
			return nil
		}
	}
	return fmt.Errorf("no free port on %s among %d tried from %d to %d: give the ports by flag", loopback, tries, firstPort, lastPort)
}

func (h *holder) claim(port int) error {
	l, err := net.Listen("tcp4", address(port))
	if err != nil {
		return err
	}
	*h = append(*h, l)
	return nil
}

func (h *holder) release() {
	for _, l := range *h {
		_ = l.Close()
	}
}

// address is host:port of a loopback port.
func address(port int) string { return net.JoinHostPort(loopback, strconv.Itoa(port)) }
