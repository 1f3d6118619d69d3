package onnx

import (
	"os"
	"runtime"

	"github.com/winnow-video/winnow/infer/device"
)

// LeaveCores leaves the cores to graphs that run on them: all Go code of this
// process shares one from now on, unless $GOMAXPROCS says otherwise. It is for a
// process that does little else than run graphs.
//
// With more, Go's monitor wakes up every 70 µs while a graph runs, to see whether
// the caller's place is wanted, and moves the caller from thread to thread. A
// graph's threads sleep while they wait for each other and find their cores taken:
// 5 to 8 % of a batch of 20 ms on two cores (infer/bench).
func (e *Engine) LeaveCores() {
	if e.device.Provider == device.CPU && os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(1)
	}
}
