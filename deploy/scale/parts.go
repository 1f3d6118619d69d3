package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/winnow-video/winnow/workflows/job"
)

// part is one of the questions that are measured.
type part struct {
	name string
	help string
	run  func(ctx context.Context, o options, r *report) error
}

// parts are all, in the order in which they are measured.
func parts() []part {
	return []part{
		{"asleep", "jobs whose stages sleep: CPU, history and memory a video", measureAsleep},
		{"infer", "two winnow-infer beside one", measureInfers},
		{"decode", "four decode children beside one", measureDecodes},
		{"loop", "Winnow beside its stages in a plain loop", measureLoop},
		{"once", "1, 3 and 10 questions a video, and a second job at another keep", measureOnce},
	}
}

// Declared before any result.
const (
	mostCPU     = 150 * time.Millisecond // of orchestration, a video
	mostGrowth  = 0.10                   // of CPU a video from the smallest job to the largest, and of memory from a tenth of it on
	mostHistory = 0.02                   // growth of events a video, likewise
	mostLonger  = 0.05                   // than the plain loop
	dearVideo   = 3 * time.Second        // CPU of a video from which on that is claimed
)

func measureAsleep(ctx context.Context, o options, r *report) (err error) {
	d, err := newDormitory(ctx, o.programs)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	idle, err := d.idle(o.idle)
	if err != nil {
		return err
	}
	var runs []*sleptRun
	for _, n := range o.sizes {
		o.progress("asleep: %d videos", n)
		run, err := d.orchestrate(ctx, n)
		if err != nil {
			return err
		}
		runs = append(runs, run)
	}
	tellAsleep(r, runs, idle)
	return nil
}

func measureInfers(ctx context.Context, o options, r *report) error {
	return o.withVideos(o.copies, demoFiles, func(videos []string) error {
		items, err := asked(o.demo, videos, 2)
		if err != nil {
			return err
		}
		spec := looked("infer", 64, 0.15)
		return o.scale(ctx, r, "winnow-infer", spec, items, crew{infers: 1, decodes: 1}, crew{infers: 2, decodes: 1}, 2)
	})
}

func measureDecodes(ctx context.Context, o options, r *report) error {
	return o.withVideos(o.copies, longFile, func(videos []string) error {
		items, err := asked(o.demo, videos, 1)
		if err != nil {
			return err
		}
		spec := looked("decode", 8, 0.15)
		return o.scale(ctx, r, "decode children", spec, items, crew{infers: 1, decodes: 1}, crew{infers: 1, decodes: 4}, 4)
	})
}

// scale runs the same job with few and with more, by turns.
func (o options) scale(ctx context.Context, r *report, what string, spec job.Spec, items []job.Item, few, more crew, times int) error {
	s := scaling{what: what, times: times, items: len(items)}
	for round := range o.rounds {
		o.progress("%s: round %d of %d", what, round+1, o.rounds)
		one, err := onFleet(ctx, o.programs, few, spec, items)
		if err != nil {
			return err
		}
		all, err := onFleet(ctx, o.programs, more, spec, items)
		if err != nil {
			return err
		}
		s.few, s.more = append(s.few, one), append(s.more, all)
	}
	s.tell(r)
	return nil
}

func measureLoop(ctx context.Context, o options, r *report) error {
	return o.withVideos(o.copies, longFile, func(videos []string) error {
		items, err := asked(o.demo, videos, 1)
		if err != nil {
			return err
		}
		spec, cores := looked("loop", 64, 0.15), runtime.NumCPU()
		c := comparison{items: len(items)}
		for round := range o.rounds {
			o.progress("loop: round %d of %d", round+1, o.rounds)
			plain, err := looped(ctx, o.programs, o.loop, cores, spec, items)
			if err != nil {
				return err
			}
			ours, err := onFleet(ctx, o.programs, crew{infers: 1, decodes: cores}, spec, items)
			if err != nil {
				return err
			}
			c.plain, c.ours = append(c.plain, plain), append(c.ours, ours)
		}
		c.tell(r)
		return nil
	})
}

func measureOnce(ctx context.Context, o options, r *report) error {
	return o.withVideos(o.copies, demoFiles, func(videos []string) error {
		var all []onceRun
		for _, questions := range []int{1, 3, 10} {
			o.progress("once: %d questions a video", questions)
			run, err := o.askTwice(ctx, videos, questions)
			if err != nil {
				return err
			}
			all = append(all, run)
		}
		tellOnce(r, all)
		return nil
	})
}

// askTwice runs a job and then, on the same store, one at another keep.
func (o options) askTwice(ctx context.Context, videos []string, questions int) (run onceRun, err error) {
	items, err := asked(o.demo, videos, questions)
	if err != nil {
		return run, err
	}
	f, err := newFleet(ctx, o.programs, crew{infers: 1, decodes: runtime.NumCPU()})
	if err != nil {
		return run, err
	}
	defer func() { err = errors.Join(err, f.close()) }()
	run = onceRun{videos: len(videos), questions: questions}
	if run.first, err = f.work(ctx, looked("once", 0, 0.15), items); err != nil {
		return run, err
	}
	run.second, err = f.work(ctx, looked("once", 0, 0.3), items)
	return run, err
}

// withVideos makes n different videos of some files, and removes them afterwards.
func (o options) withVideos(n int, of func(options) ([]string, error), use func(videos []string) error) (err error) {
	files, err := of(o)
	if err != nil {
		return err
	}
	folder, err := os.MkdirTemp(o.work, "videos-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	videos, err := copies(folder, files, n)
	if err != nil {
		return err
	}
	return use(videos)
}

func demoFiles(o options) ([]string, error) { return demoClips(o.demo) }

func longFile(o options) ([]string, error) {
	file := o.clip
	if file == "" {
		var err error
		if file, err = longClip(context.Background(), o.work, o.ffmpeg); err != nil {
			return nil, err
		}
	}
	path, err := filepath.Abs(file)
	return []string{path}, err
}

// progress goes to stderr: the tables are what is printed.
func (o options) progress(format string, args ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", args...)
}
