package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestGivenPortsAreUsedAndRemembered(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	want, _, err := choosePorts(ports{}, ports{})
	if err != nil {
		t.Fatal(err)
	}
	in := startIn(t, dir, flagsOf(want)...)
	if got := in.ports(t); got != want {
		t.Errorf("ports %+v, want %+v as given", got, want)
	}
	in.stop(t, syscall.SIGTERM)

	taken := listen(t, want.NATS)
	in = startIn(t, dir)
	got := in.ports(t)
	if got.NATS == want.NATS {
		t.Errorf("NATS took port %d, which another program has", got.NATS)
	}
	if got.NATS = want.NATS; got != want {
		t.Errorf("ports %+v, want %+v as before but for NATS", got, want)
	}
	in.stop(t, syscall.SIGTERM)
	if err := taken.Close(); err != nil {
		t.Fatal(err)
	}
}

func flagsOf(p ports) []string {
	var args []string
	for _, port := range p.all() {
		args = append(args, fmt.Sprintf("--%s=%d", port.flag, *port.port))
	}
	return args
}

func TestTakenPortIsNamed(t *testing.T) {
	t.Parallel()
	for _, flag := range []string{"temporal-port", "temporal-ui-port", "nats-port", "s3-port"} {
		t.Run(flag, func(t *testing.T) {
			t.Parallel()
			port := portOf(t, listen(t, 0).Addr().String())
			refused(t, []string{"--state", t.TempDir(), fmt.Sprintf("--%s=%d", flag, port)}, "--"+flag, fmt.Sprintf("port %d is taken", port))
		})
	}
}

func listen(t *testing.T, port int) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp4", address(port))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// TestListensOnLoopbackAlone asks the kernel on which addresses the program listens.
func TestListensOnLoopbackAlone(t *testing.T) {
	t.Parallel()
	in := startIn(t, t.TempDir())
	own := socketsOf(t, in.PID)
	var listening int
	for _, table := range []string{"tcp", "tcp6"} {
		for _, socket := range listeners(t, in.PID, table) {
			if !own[socket.inode] {
				continue
			}
			listening++
			if !strings.HasPrefix(socket.address, "0100007F:") { // 127.0.0.1, as the kernel prints it
				t.Errorf("%s: listens on %s", table, socket.address)
			}
		}
	}
	if want := len(new(ports).all()) + 3; listening != want { // 3 are Temporal's own
		t.Errorf("%d listening sockets, want %d", listening, want)
	}
	in.stop(t, syscall.SIGTERM)
}

type listener struct{ address, inode string }

// listeners reads the listening sockets of a process's network.
func listeners(t *testing.T, pid int, table string) []listener {
	t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/%s", pid, table))
	if err != nil {
		t.Fatal(err)
	}
	var found []listener
	for line := range strings.Lines(string(data)) {
		const listen = "0A"
		if field := strings.Fields(line); len(field) > 9 && field[3] == listen {
			found = append(found, listener{address: field[1], inode: field[9]})
		}
	}
	return found
}

// socketsOf are the inodes of a process's open sockets.
func socketsOf(t *testing.T, pid int) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	if err != nil {
		t.Fatal(err)
	}
	inodes := make(map[string]bool)
	for _, file := range files {
		if target, err := os.Readlink(file); err == nil && strings.HasPrefix(target, "socket:[") {
			inodes[strings.Trim(target, "socket:[]")] = true
		}
	}
	return inodes
}
