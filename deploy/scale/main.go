// Scale measures what Winnow costs beside its stages, and what more of its
// programs bring: `make bench-scale`. The built programs and the demo bundle go
// in, Markdown comes out. It runs jobs as package control and `winnow worker` do,
// on a winnow-devstack of its own; in deploy/scale/loop is what it compares with.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "scale:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 4 && args[0] == asleepCommand {
		return workAsleep(ctx, args[1], args[2], args[3])
	}
	o, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := os.MkdirAll(o.work, 0o700); err != nil {
		return err
	}
	return o.measure(ctx, &report{out: os.Stdout})
}

func (o options) measure(ctx context.Context, r *report) error {
	fmt.Fprintln(r.out, o.header())
	for _, p := range parts() {
		if len(o.only) > 0 && !slices.Contains(o.only, p.name) {
			continue
		}
		if err := p.run(ctx, o, r); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	r.end()
	return nil
}

// header says where the figures come from.
func (o options) header() string {
	load, _ := os.ReadFile("/proc/loadavg")
	version, _ := exec.Command("git", "rev-parse", "--short", "HEAD").Output()
	return fmt.Sprintf("- command: `%s`\n- %s, %s, %d cores, load %s before; Winnow %s",
		o.command, time.Now().UTC().Format(time.DateOnly), processor(), runtime.NumCPU(), firstWord(load), firstWord(version))
}

func firstWord(text []byte) string {
	if words := strings.Fields(string(text)); len(words) > 0 {
		return words[0]
	}
	return "unknown"
}

func processor() string {
	text, _ := os.ReadFile("/proc/cpuinfo")
	_, after, _ := strings.Cut(string(text), "model name")
	line, _, _ := strings.Cut(after, "\n")
	return strings.TrimSpace(strings.TrimLeft(line, "\t :"))
}

// options are the flags.
type options struct {
	programs
	loop    string // the plain loop's program
	ffmpeg  string
	clip    string   // long video; empty: it is drawn
	demo    string   // folder of the demo's clips
	work    string   // folder of what is made
	sizes   []int    // jobs that sleep, in videos
	copies  int      // videos of the other jobs
	rounds  int      // of what is compared
	only    []string // parts; empty: all
	idle    time.Duration
	command string
}

const help = `scale measures what Winnow costs beside its stages. It prints Markdown; progress goes to stderr.

Parts, for --only:
%s
Flags:
`

func parse(args []string) (options, error) {
	o := options{idle: 10 * time.Second, command: "make bench-scale"}
	f := flag.NewFlagSet("scale", flag.ContinueOnError)
	f.Usage = func() {
		var names strings.Builder
		for _, p := range parts() {
			fmt.Fprintf(&names, "  %-8s %s\n", p.name, p.help)
		}
		fmt.Fprintf(f.Output(), help, &names)
		f.PrintDefaults()
	}
	sizes := f.String("sizes", "1000,5000,20000", "videos of the jobs that sleep, one after the other on one stack")
	only := f.String("only", "", "parts to measure, separated by commas (default all)")
	quick := f.Bool("quick", false, "a few videos and one round of each, to see that it works: minutes")
	f.IntVar(&o.copies, "videos", 24, "videos of the other jobs")
	f.IntVar(&o.rounds, "rounds", 2, "rounds of what is compared, of which medians count")
	f.StringVar(&o.bin, "bin", "bin", "folder of Winnow's programs")
	f.StringVar(&o.bundle, "bundle", "deploy/bundle/demo", "model bundle")
	f.StringVar(&o.demo, "clips", "deploy/bundle/demo-clips", "folder of the demo's clips and their manifest")
	f.StringVar(&o.loop, "loop", ".winnow/bench-scale/loop", "program of deploy/scale/loop")
	f.StringVar(&o.ffmpeg, "ffmpeg", "ffmpeg", "FFmpeg with libx264, that draws the long clip")
	f.StringVar(&o.clip, "clip", "", "another long clip, MP4 (default: it is drawn, and kept in --work)")
	f.StringVar(&o.work, "work", ".winnow/bench-scale", "folder of what is made")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if *quick {
		*sizes, o.copies, o.rounds, o.idle = "100,300", 4, 1, 2*time.Second
	}
	if len(args) > 0 {
		o.command = "deploy/scale " + strings.Join(args, " ")
	}
	if *only != "" {
		o.only = strings.Split(*only, ",")
	}
	return o, o.settle(*sizes)
}

// settle reads sizes, makes paths absolute and names what is not there.
func (o *options) settle(sizes string) error {
	for word := range strings.SplitSeq(sizes, ",") {
		n, err := strconv.Atoi(word)
		if err != nil || n < 1 {
			return fmt.Errorf("--sizes %s: want numbers of videos, separated by commas", sizes)
		}
		o.sizes = append(o.sizes, n)
	}
	for _, name := range o.only {
		if !slices.ContainsFunc(parts(), func(p part) bool { return p.name == name }) {
			return fmt.Errorf("--only %s: no such part: see -h", name)
		}
	}
	for _, path := range []*string{&o.bin, &o.bundle, &o.demo, &o.loop, &o.work} {
		var err error
		if *path, err = filepath.Abs(*path); err != nil {
			return err
		}
	}
	return nil
}
