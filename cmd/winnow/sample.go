package main

import (
	"fmt"
	"time"

	"github.com/spf13/pflag"

	"github.com/winnow-video/winnow/workflows/control"
	"github.com/winnow-video/winnow/workflows/job"
)

const sampleHelp = `--sample N runs N items of the manifest, drawn at random, as a job of its own: its name ends in
-sample. What it leaves in the store, the whole job finds.`

// sampleFlags are how many items are drawn: 0, all of them.
type sampleFlags struct {
	n    int
	seed uint64
}

func (f *sampleFlags) bind(set *pflag.FlagSet) {
	set.IntVar(&f.n, "sample", 0, "run so many items of the manifest, drawn at random")
	set.Uint64Var(&f.seed, "sample-seed", 0, "another one draws others")
}

const sampleSuffix = "-sample"

// draw leaves the plan only the items that are drawn.
func (f *sampleFlags) draw(p *plan) error {
	switch {
	case f.n < 0:
		return usagef("--sample %d: want how many items, at least 1", f.n)
	case f.n == 0:
		return nil
	}
	p.items = job.Sample(p.items, f.n, f.seed)
	p.spec.Name = p.spec.Name[:min(len(p.spec.Name), job.MaxName-len(sampleSuffix))] + sampleSuffix
	return nil
}

// pace says from a sample how long the whole job takes.
func (p *plan) pace(done control.Job) string {
	began, _ := time.Parse(time.RFC3339, done.Summary.Began)
	ended, _ := time.Parse(time.RFC3339, done.Summary.Ended)
	whole := time.Duration(float64(ended.Sub(began)) * float64(p.whole) / float64(len(p.items)))
	return fmt.Sprintf("a sample of %d of %d items: at its pace all of them take about %v here", len(p.items), p.whole, whole.Round(time.Second))
}
