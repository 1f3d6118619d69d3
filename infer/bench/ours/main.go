// Command ours runs one graph of a bundle as winnow-infer does, in turns that
// bench.py gives it by turns with peer.py, which does the same in Python.
//
// It prints an empty JSON object when it is ready. Then it reads lines, each
// the length of a turn in seconds, and prints what it measured in that turn.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/winnow-video/winnow/infer/bundle"
	"github.com/winnow-video/winnow/infer/onnx"
)

// order is what the flags ask for.
type order struct {
	graph, folder  string
	engine         onnx.Config
	prompt, tokens int
}

// figures are what one turn measured, by name: bench.py's and peer.py's names.
type figures map[string]float64

// subject is what takes turns.
type subject interface {
	turn(length time.Duration) (figures, error)
	close() error
}

func main() {
	var o order
	flag.IntVar(&o.engine.Threads, "threads", 1, "inside the graph")
	flag.BoolVar(&o.engine.Spin, "spin", false, "threads wait for each other without sleeping")
	flag.StringVar(&o.engine.Profile, "profile", "", "folder for ONNX Runtime's trace: a decoder has one turn, which tells what of a token is outside the graph")
	flag.IntVar(&o.prompt, "prompt", 256, "rows read")
	flag.IntVar(&o.tokens, "tokens", 32, "tokens said")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "ours [flags] vision|decoder BUNDLE\n\nRuns the graph in turns, each as long as a line of the input says, in seconds.")
		flag.PrintDefaults()
	}
	flag.Parse()
	o.graph, o.folder = flag.Arg(0), flag.Arg(1)
	if err := run(context.Background(), o, os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "ours:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o order, in io.Reader, out io.Writer) (err error) {
	loaded, err := bundle.Open(ctx, o.folder)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, loaded.Close()) }()
	engine, err := onnx.Open(o.engine)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	engine.LeaveCores()
	s, err := open(ctx, o, engine, loaded)
	if err != nil {
		return err
	}
	if err := turns(s, in, out); err != nil {
		return errors.Join(err, s.close())
	}
	return s.close()
}

func open(ctx context.Context, o order, engine *onnx.Engine, loaded *bundle.Bundle) (subject, error) {
	switch o.graph {
	case "vision":
		return newVision(engine, loaded)
	case "decoder":
		d, err := newDecoder(ctx, o, engine, loaded)
		if err == nil && o.engine.Profile != "" {
			return &traced{d, o.engine.Profile}, nil
		}
		return d, err
	}
	return nil, fmt.Errorf("graph %q: want vision or decoder", o.graph)
}

// turns takes a turn for every line.
func turns(s subject, in io.Reader, out io.Writer) error {
	tell := json.NewEncoder(out)
	if err := tell.Encode(figures{}); err != nil {
		return err
	}
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		seconds, err := strconv.ParseFloat(lines.Text(), 64)
		if err != nil {
			return err
		}
		measured, err := s.turn(time.Duration(seconds * float64(time.Second)))
		if err != nil {
			return err
		}
		if err := tell.Encode(measured); err != nil {
			return err
		}
	}
	return lines.Err()
}

func median(samples []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(samples))
	return sorted[len(sorted)/2]
}
