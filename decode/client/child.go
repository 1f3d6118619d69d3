package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/winnow-video/winnow/decode/wire"
	"github.com/winnow-video/winnow/workflows/job"
)

// watchEvery is how often a child's memory is looked at.
const watchEvery = 50 * time.Millisecond

// child is one running winnow-decode.
type child struct {
	cmd    *exec.Cmd
	ranges net.Conn // our end of its fd 3
	stdout io.ReadCloser
	stderr *head
}

// start starts the program at path on a request. The child leads a process group of its
// own and is killed when we die.
func start(path string, req wire.Request) (*child, error) {
	var stdin bytes.Buffer
	if err := wire.WriteRequest(&stdin, req); err != nil {
		return nil, job.Fail(job.StageDecode, job.ConfigInvalid, "decode request: %v", err)
	}
	ours, theirs, err := socketPair()
	if err != nil {
		return nil, job.Fail(job.StageDecode, job.InternalError, "%v", err)
	}
	defer theirs.Close()
	c := &child{cmd: exec.Command(path), ranges: ours, stderr: new(head)}
	c.cmd.Stdin, c.cmd.Stderr, c.cmd.ExtraFiles = &stdin, c.stderr, []*os.File{theirs}
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if c.stdout, err = c.cmd.StdoutPipe(); err == nil {
		err = c.cmd.Start()
	}
	if err != nil {
		ours.Close()
		return nil, job.Fail(job.StageDecode, job.InternalError, "start the decoder: %v", err)
	}
	return c, nil
}

func socketPair() (ours net.Conn, theirs *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("socket pair: %w", err)
	}
	file := os.NewFile(uintptr(fds[0]), "ranges")
	defer file.Close()
	theirs = os.NewFile(uintptr(fds[1]), "ranges")
	if ours, err = net.FileConn(file); err != nil {
		theirs.Close()
		return nil, nil, fmt.Errorf("socket pair: %w", err)
	}
	return ours, theirs, nil
}

// serve answers the child's questions until it closes its end or is reaped; a source
// that fails ends the child.
func (c *child) serve(ctx context.Context, end context.CancelCauseFunc, cache *cache) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		var failed error
		_ = wire.ServeRanges(c.ranges, cache.src.Size(), func(p []byte, off int64) error {
			failed = cache.read(ctx, p, off)
			return failed
		})
		if failed != nil {
			end(failed)
		}
	}()
	return done
}

// watch kills the child when ctx ends, and ends it when it holds more than maxBytes.
func (c *child) watch(ctx context.Context, end context.CancelCauseFunc, maxBytes int64) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		ticker := time.NewTicker(watchEvery)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				c.kill()
				return
			case <-ticker.C:
			}
			held, err := residentBytes(c.cmd.Process.Pid)
			if errors.Is(err, os.ErrNotExist) || errors.Is(err, errReaped) {
				return
			}
			if held > maxBytes {
				end(job.Fail(job.StageDecode, job.InputMemory, "decoding took more than limits.memory, %d bytes", maxBytes))
			}
		}
	}()
	return done
}
