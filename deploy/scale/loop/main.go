// Loop answers the items of a job file in plain Go: decode, encode, prune and
// answer one after the other, by the same packages that Winnow's programs are
// made of, without queues, stores or records. deploy/scale compares Winnow with
// it; cmd/winnow-decode decodes for both.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/winnow-video/winnow/infer/onnx"
	"github.com/winnow-video/winnow/workflows/job"
)

// order is what standard input holds, as JSON.
type order struct {
	Bundle   string     `json:"bundle"`  // folder
	Decoder  string     `json:"decoder"` // path of winnow-decode
	Parallel int        `json:"parallel"`
	Spec     job.Spec   `json:"spec"` // its first pruning is the one
	Items    []job.Item `json:"items"`
}

// bill is what standard output holds in the end, as JSON.
type bill struct {
	WallS       float64      `json:"wall_s"` // from the first video on: graphs are loaded before
	CPUS        float64      `json:"cpu_s"`  // this process's, likewise
	DecoderCPUS float64      `json:"decoders_cpu_s"`
	Answers     []job.Answer `json:"answers"`
}

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	var o order
	if err := json.NewDecoder(os.Stdin).Decode(&o); err != nil {
		return err
	}
	b, err := o.answer(ctx)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(b)
}

// answer works as many lines as o.Parallel, each with graphs of its own, of a thread each.
func (o order) answer(ctx context.Context) (bill, error) {
	out := bill{Answers: make([]job.Answer, len(o.Items))}
	engine, err := onnx.Open(onnx.Config{Threads: 1})
	if err != nil {
		return out, err
	}
	defer engine.Close()
	lines := make([]*line, o.Parallel)
	for i := range lines {
		if lines[i], err = newLine(ctx, o, engine); err != nil {
			return out, err
		}
		defer lines[i].close()
	}
	began, own := time.Now(), cpu(syscall.RUSAGE_SELF) // no child has run yet
	next := make(chan int)
	errs := make([]error, len(lines))
	var working sync.WaitGroup
	for n, l := range lines {
		working.Go(func() {
			for i := range next {
				answer, err := l.item(ctx, o.Items[i])
				out.Answers[i], errs[n] = answer, errors.Join(errs[n], err)
			}
		})
	}
	for i := range o.Items {
		next <- i
	}
	close(next)
	working.Wait()
	out.WallS, out.CPUS = time.Since(began).Seconds(), (cpu(syscall.RUSAGE_SELF) - own).Seconds()
	out.DecoderCPUS = cpu(syscall.RUSAGE_CHILDREN).Seconds()
	return out, errors.Join(errs...)
}

// cpu is what this process, or the children it waited for, have used.
func cpu(who int) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(who, &u); err != nil {
		panic(err) // there is no reason why it should
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
