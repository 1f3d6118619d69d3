// Package stacktest gives tests real servers: a winnow-devstack, started at
// the first call in a test process and stopped by Main.
package stacktest

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/winnow-video/winnow/workflows/stack"
)

// startLimit is what a loaded machine may take for what takes a second on an idle one.
const startLimit = 2 * time.Minute

// shared is the stack of this test process.
var shared = sync.OnceValues(func() (*Devstack, error) {
	dir, err := os.MkdirTemp("", "winnow-stacktest-")
	if err != nil {
		return nil, err
	}
	return launch(dir)
})

// started tells Main that there is something to stop. Tests of a process share it as they share its servers.
var started sync.Once

// Main runs the tests of a package and then stops the servers they shared. Call it from TestMain:
//
//	func TestMain(m *testing.M) { os.Exit(stacktest.Main(m)) }
func Main(m *testing.M) int {
	code := m.Run()
	used := true
	started.Do(func() { used = false })
	if !used {
		return code
	}
	d, err := shared()
	if err != nil {
		return code
	}
	if err := errors.Join(d.Stop(), os.RemoveAll(d.State)); err != nil {
		fmt.Fprintln(os.Stderr, "stop the servers of the tests:", err)
		return max(code, 1)
	}
	return code
}

// Start returns the services shared by the tests of this process. Tests keep
// apart by names of jobs and bundles of their own.
func Start(t *testing.T) *stack.Services {
	t.Helper()
	started.Do(func() {})
	d, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	services := d.Services
	return &services
}

// StartIn starts a stack of the test's own on a state folder, and stops it when
// the test ends. Folders may be started on again.
func StartIn(t *testing.T, state string) *Devstack {
	t.Helper()
	d, err := launch(state)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Stop(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// Devstack is a running winnow-devstack.
type Devstack struct {
	State    string // folder
	Services stack.Services

	process *os.Process
	ended   chan struct{} // closed when the process was waited for
	log     *bytes.Buffer // its standard error; read it after ended
}

func launch(state string) (*Devstack, error) {
	binary, err := binary()
	if err != nil {
		return nil, err
	}
	d := &Devstack{State: state, ended: make(chan struct{}), log: &bytes.Buffer{}}
	cmd := exec.Command(binary, "--state", state)
	cmd.Stderr = d.log
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Setpgid:   true,            // ^C of the tests leaves stopping to Main
		Pdeathsig: syscall.SIGTERM, // and a test process that panics leaves nothing behind
	}
	started := make(chan error)
	go d.run(cmd, started)
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", binary, err)
	}
	return d, d.awaitReady()
}

// run keeps its thread: the child's parent, to the kernel, is the thread that started it.
func (d *Devstack) run(cmd *exec.Cmd, started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := cmd.Start()
	d.process = cmd.Process
	started <- err
	if err == nil {
		_ = cmd.Wait() // the exit code says nothing that its log does not
	}
	close(d.ended)
}

// awaitReady reads the file until it is there and is this process's.
func (d *Devstack) awaitReady() error {
	timeout := time.After(startLimit)
	for {
		services, err := stack.ReadState(d.State)
		if err == nil && services.PID == d.process.Pid {
			d.Services = services
			return nil
		}
		select {
		case <-d.ended:
			return fmt.Errorf("winnow-devstack ended before it was ready:\n%s", d.log)
		case <-timeout:
			return errors.Join(fmt.Errorf("winnow-devstack was not ready within %v: %w", startLimit, err), d.Kill())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Stop ends it cleanly. It may be called again, and after Kill.
func (d *Devstack) Stop() error { return d.end(syscall.SIGTERM) }

// Kill ends it as a crash would.
func (d *Devstack) Kill() error { return d.end(syscall.SIGKILL) }

func (d *Devstack) end(signal syscall.Signal) error {
	if err := d.process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("winnow-devstack: %w", err)
	}
	select {
	case <-d.ended:
		return nil
	case <-time.After(startLimit):
		return errors.Join(fmt.Errorf("winnow-devstack did not end within %v", startLimit), d.process.Kill())
	}
}

// binary is $WINNOW_DEVSTACK, else bin/winnow-devstack of the module the test is in.
func binary() (string, error) {
	if path := os.Getenv("WINNOW_DEVSTACK"); path != "" {
		return path, nil
	}
	root, err := moduleRoot()
	if err != nil {
		return "", err
	}
	path := filepath.Join(root, "bin", "winnow-devstack")
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("%s is not there: run `make build`, or name a winnow-devstack in WINNOW_DEVSTACK", path)
	}
	return path, nil
}

// moduleRoot is the nearest folder above the test's with a go.mod.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for at := dir; ; at = filepath.Dir(at) {
		if _, err := os.Stat(filepath.Join(at, "go.mod")); err == nil {
			return at, nil
		}
		if at == filepath.Dir(at) {
			return "", fmt.Errorf("no go.mod above %s", dir)
		}
	}
}
