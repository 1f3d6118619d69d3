package client

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/winnow-video/winnow/decode/wire"
	"github.com/winnow-video/winnow/workflows/job"
)

const (
	niceness = 5                      // of the child, 0 to 19
	stretch  = 100 * time.Millisecond // that it runs on end while others want the core as well
)

// child is one running winnow-decode.
type child struct {
	cmd    *exec.Cmd
	ranges net.Conn // our end of its fd 3
	stdout io.ReadCloser
	stderr *head
}

// start starts the program at path on a request. The child leads a process group of its
// own, is killed when we die, and inherits no environment but what drivers need: it reads hostile bytes.
func start(path string, req wire.Request, src Source) (*child, error) {
	var files []*os.File
	if local, ok := src.(Local); ok {
		req.Local, files = true, append(files, local.Opened())
	}
	var stdin bytes.Buffer
	if err := wire.WriteRequest(&stdin, req); err != nil {
		return nil, job.Fail(job.StageDecode, job.ConfigInvalid, "decode request: %v", err)
	}
	ours, theirs, err := socketPair()
	if err != nil {
		return nil, job.Fail(job.StageDecode, job.InternalError, "start the decoder: %v", err)
	}
	defer theirs.Close()
	c := &child{cmd: exec.Command(path), ranges: ours, stderr: new(head)}
	c.cmd.Stdin, c.cmd.Stderr, c.cmd.ExtraFiles = &stdin, c.stderr, append([]*os.File{theirs}, files...)
	// One more than its lanes: where none is idle, Go's runtime takes a lane's at every packet, for nobody.
	c.cmd.Env = append([]string{fmt.Sprintf("GOMAXPROCS=%d", req.Threads+1), "LANG=C"}, driverEnv(req)...)
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if c.stdout, err = c.cmd.StdoutPipe(); err == nil {
		err = c.cmd.Start()
	}
	if err != nil {
		ours.Close()
		return nil, job.Fail(job.StageDecode, job.InternalError, "start the decoder: %v", err)
	}
	c.giveWay()
	return c, nil
}

// giveWay has the child come after what keeps jobs going, and run long at a stretch: where
// each message that comes may take it off its core, it loses its caches. Both are best effort;
// threads take what the first one, alone as yet, is given. Linux knows stretches from 6.12 on.
func (c *child) giveWay() {
	pid := c.cmd.Process.Pid
	_ = unix.Setpriority(unix.PRIO_PGRP, pid, niceness)
	_ = unix.SchedSetAttr(pid, &unix.SchedAttr{Policy: unix.SCHED_BATCH, Nice: niceness, Runtime: uint64(stretch)}, 0)
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

// tend serves and watches the child until it has ended and been reaped, and returns
// its result. Whatever must end it early says why through end.
func (c *child) tend(ctx context.Context, end context.CancelCauseFunc, req wire.Request, cache *cache) (clip []byte, read int64, err error) {
	var serving sync.WaitGroup
	serving.Go(func() { c.serve(ctx, end, cache) })
	limits := req.Limits
	limits.Memory = req.MemoryBound()
	w := c.watch(ctx, end, limits, &cache.waiting)
	clip, read, err = wire.ReadResult(c.stdout, mostBytes(req))
	if err != nil && !isFailure(err) {
		c.kill()
	}
	died := c.reap(w)
	serving.Wait()
	if err != nil {
		return nil, 0, outcome(ctx, err, died, c.stderr.String())
	}
	return clip, read, nil
}

// serve answers the child's questions until it has closed its end; a source that fails
// ends the child.
func (c *child) serve(ctx context.Context, end context.CancelCauseFunc, cache *cache) {
	var failed error
	// Any other error is the child's: its result, or the lack of one, tells more.
	_ = wire.ServeRanges(c.ranges, cache.src.Size(), func(p []byte, off int64) error {
		failed = cache.read(ctx, p, off)
		return failed
	})
	if failed != nil {
		end(failed)
	}
}

// kill ends the child and all of its group. The child must not be reaped yet.
func (c *child) kill() { _ = unix.Kill(-c.cmd.Process.Pid, unix.SIGKILL) }

// reap waits for the child's exit, then ends what is left of its group. Its pid stays
// taken until nobody kills any more, so that no stranger is hit.
func (c *child) reap(w *watch) error {
	for unix.Waitid(unix.P_PID, c.cmd.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil) == unix.EINTR {
	}
	w.stop()
	c.kill()
	err := c.cmd.Wait()
	c.ranges.Close()
	return err
}

// head keeps the first bytes written to it: a crash tells its cause first.
type head struct{ bytes.Buffer }

const maxHead = 8 << 10

// Write implements io.Writer.
func (h *head) Write(p []byte) (int, error) {
	h.Buffer.Write(p[:min(len(p), maxHead-h.Len())])
	return len(p), nil
}
