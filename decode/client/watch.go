package client

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/winnow-video/winnow/workflows/job"
)

// watchEvery is how often a child is looked at. The kernel bounds its memory by itself
// (RLIMIT_DATA); looking takes time from the decoding.
const watchEvery = 100 * time.Millisecond

// watch holds a child to its limits until it is stopped.
type watch struct{ quit, done chan struct{} }

// watch kills the child when ctx ends, and ends it when it overruns its memory or its
// time. While waiting is set it waits for the source, which is not its own time.
func (c *child) watch(ctx context.Context, end context.CancelCauseFunc, limits job.Limits, waiting *atomic.Bool) *watch {
	w := &watch{make(chan struct{}), make(chan struct{})}
	go func() {
		defer close(w.done)
		ticker := time.NewTicker(watchEvery)
		defer ticker.Stop()
		memory := openMemory(c.cmd.Process.Pid)
		defer memory.close()
		var worked time.Duration
		for last := time.Now(); ; {
			select {
			case <-w.quit:
				return
			case <-ctx.Done():
				c.kill()
				return
			case now := <-ticker.C:
				if !waiting.Load() {
					worked += now.Sub(last)
				}
				last = now
			}
			if err := overrun(memory.resident(), worked, limits); err != nil {
				end(err)
			}
		}
	}()
	return w
}

// stop ends the watching; when it returns, nobody kills the child any more.
func (w *watch) stop() {
	close(w.quit)
	<-w.done
}

func overrun(held int64, worked time.Duration, limits job.Limits) error {
	if worked > limits.Wall {
		return job.Fail(job.StageDecode, job.InputTimeout, "decoding took longer than limits.wall, %v", limits.Wall)
	}
	if held > limits.Memory {
		return job.Fail(job.StageDecode, job.InputMemory, "decoding took %d bytes of memory, limits.memory allows %d", held, limits.Memory)
	}
	return nil
}

// memory is the kernel's account of a process's memory: a descriptor that stays with this
// process, whoever has its pid later.
type memory int

func openMemory(pid int) memory {
	fd, err := unix.Open(fmt.Sprintf("/proc/%d/statm", pid), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1
	}
	return memory(fd)
}

func (m memory) close() { _ = unix.Close(int(m)) }

// resident is the bytes that the process holds; 0 where it is gone.
func (m memory) resident() int64 {
	var text [128]byte
	n, err := unix.Pread(int(m), text[:], 0)
	if err != nil {
		return 0
	}
	fields := bytes.Fields(text[:n])
	if len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseInt(string(fields[1]), 10, 64)
	if err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}
