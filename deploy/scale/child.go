package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"github.com/winnow-video/winnow/workflows/stack"
)

// startLimit is what a loaded machine may take for what takes a second on an idle one.
const startLimit = 2 * time.Minute

// child is a program that runs until it is stopped.
type child struct {
	cmd   *exec.Cmd
	ended chan struct{} // closed when it was waited for
	log   bytes.Buffer  // its standard error; read it after ended
}

// startChild starts a program that dies with this one.
func startChild(cmd *exec.Cmd) (*child, error) {
	c := &child{cmd: cmd, ended: make(chan struct{})}
	cmd.Stderr = &c.log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	started := make(chan error)
	go func() {
		// The child's parent, to the kernel, is the thread that started it.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // its log says why
		}
		close(c.ended)
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return c, nil
}

func (c *child) pid() int { return c.cmd.Process.Pid }

// stop ends it cleanly, and may be called again.
func (c *child) stop() error {
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-c.ended:
		return nil
	case <-time.After(startLimit):
		return errors.Join(fmt.Errorf("%s does not end", c.cmd.Path), c.cmd.Process.Kill())
	}
}

// failed says what a child that ended by itself had to say.
func (c *child) failed() error {
	return fmt.Errorf("%s ended:\n%s", filepath.Base(c.cmd.Path), &c.log)
}

// devstack starts Temporal, NATS and S3 on an empty folder.
func devstack(ctx context.Context, program, state string) (*child, stack.Services, error) {
	c, err := startChild(exec.Command(program, "--state", state))
	if err != nil {
		return nil, stack.Services{}, err
	}
	limited, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	for {
		services, err := stack.ReadState(state)
		if err == nil && services.PID == c.pid() {
			return c, services, nil
		}
		select {
		case <-c.ended:
			return nil, services, c.failed()
		case <-limited.Done():
			return nil, services, errors.Join(fmt.Errorf("winnow-devstack is not ready: %w", err), c.stop())
		case <-time.After(20 * time.Millisecond):
		}
	}
}
