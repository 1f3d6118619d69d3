package child

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/winnow-video/winnow/decode/wire"
	"github.com/winnow-video/winnow/workflows/job"
)

const (
	glance = 25 * time.Millisecond // between looks at the child
	pulse  = time.Second           // between beats
)

// watch beats, and holds the child to its limits until ctx ends: stop is
// called with the failure of the first limit that it overruns. While waiting
// is set it waits for the source, which is not its own time.
func watch(ctx context.Context, pid int, limits wire.Limits, waiting *atomic.Bool, beat func(), stop context.CancelCauseFunc) {
	ticker := time.NewTicker(glance)
	defer ticker.Stop()
	var worked time.Duration
	last, beaten := time.Now(), time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			if !waiting.Load() {
				worked += now.Sub(last)
			}
			last = now
			if now.Sub(beaten) >= pulse {
				beaten = now
				beat()
			}
			if f := overrun(pid, worked, limits); f != nil {
				stop(f)
				return
			}
		}
	}
}

func overrun(pid int, worked time.Duration, limits wire.Limits) error {
	if limits.Wall > 0 && worked > limits.Wall {
		return job.Fail(job.StageDecode, job.InputTimeout, "decoding took longer than limits.wall, %v", limits.Wall)
	}
	if rss := resident(pid); limits.Memory > 0 && rss > limits.Memory {
		return outOfMemory(limits.Memory)
	}
	return nil
}

func outOfMemory(limit int64) *job.Failure {
	return job.Fail(job.StageDecode, job.InputMemory, "decoding needs more than limits.memory, %d bytes", limit)
}

// resident is the memory that pid holds, bytes; zero where that cannot be told.
func resident(pid int) int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	fields := bytes.Fields(text)
	if err != nil || len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseInt(string(fields[1]), 10, 64)
	if err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}
