package main

import (
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/winnow-video/winnow/workflows/job"
)

// report is Markdown, printed as it comes; what was declared is told in the end.
type report struct {
	out   io.Writer
	facts []fact
}

// fact is a declared threshold and what was measured.
type fact struct {
	declared, figure string
	reached          bool
}

func (r *report) section(title string) { fmt.Fprintf(r.out, "### %s\n\n", title) }

func (r *report) say(format string, args ...any) { fmt.Fprintf(r.out, format+"\n\n", args...) }

func (r *report) declare(reached bool, figure, declared string, args ...any) {
	r.facts = append(r.facts, fact{fmt.Sprintf(declared, args...), figure, reached})
}

// table prints rows of as many cells as there are columns; the first column is text.
func (r *report) table(columns []string, rows [][]string) {
	line := func(cells []string) { fmt.Fprintf(r.out, "| %s |\n", strings.Join(cells, " | ")) }
	line(columns)
	rule := slices.Repeat([]string{"---:"}, len(columns))
	rule[0] = "---"
	if last := len(columns) - 1; columns[last] == "" {
		rule[last] = "---" // a verdict
	}
	line(rule)
	for _, row := range rows {
		line(row)
	}
	fmt.Fprintln(r.out)
}

// end prints what was declared.
func (r *report) end() {
	r.section("Declared")
	var rows [][]string
	for _, f := range r.facts {
		verdict := "reached"
		if !f.reached {
			verdict = "**missed**"
		}
		rows = append(rows, []string{f.declared, f.figure, verdict})
	}
	r.table([]string{"declared", "figure", ""}, rows)
}

func ms(d time.Duration) string  { return fmt.Sprintf("%.1f", float64(d)/float64(time.Millisecond)) }
func sec(d time.Duration) string { return fmt.Sprintf("%.1f", d.Seconds()) }
func mb(bytes int64) string      { return fmt.Sprintf("%.0f", float64(bytes)/1e6) }

// per is d divided by n.
func per(d time.Duration, n int) time.Duration { return d / time.Duration(max(1, n)) }

func (r *sleptRun) each(d time.Duration) time.Duration { return per(d, r.videos) }

func (r *sleptRun) events() float64 { return float64(r.history.events) / float64(r.videos) }

func tellAsleep(r *report, runs []*sleptRun, idle time.Duration) {
	r.section("Stages asleep")
	var rows [][]string
	for _, run := range runs {
		rows = append(rows, []string{
			fmt.Sprint(run.videos), ms(run.each(run.cpu())), ms(run.each(run.client)), ms(run.each(run.worker)), ms(run.each(run.server)),
			fmt.Sprintf("%.1f", run.events()), fmt.Sprintf("%.1f", float64(run.history.transitions)/float64(run.videos)),
			fmt.Sprintf("%.1f", float64(run.history.bytes)/1e3/float64(run.videos)), sec(run.wall),
			fmt.Sprintf("%.1f", float64(run.videos)/run.wall.Seconds()),
			fmt.Sprintf("%.0f %%", 100*run.cpu().Seconds()/run.wall.Seconds()/float64(runtime.NumCPU())),
		})
	}
	r.table([]string{"videos", "CPU a video, ms", "client", "worker", "Temporal, NATS, S3", "history events a video", "state transitions",
		"history, kB", "wall, s", "videos a second", "of the cores' time"}, rows)
	r.say("Idle, all three take %s ms of CPU a second.", ms(idle))
	last := runs[len(runs)-1]
	tellMemory(r, last)
	declareAsleep(r, runs[0], last)
}

func declareAsleep(r *report, first, last *sleptRun) {
	for _, run := range slices.Compact([]*sleptRun{first, last}) {
		cpu := run.each(run.cpu())
		r.declare(cpu <= mostCPU, ms(cpu)+" ms", "%d videos: orchestration takes at most %s ms of CPU each", run.videos, ms(mostCPU))
	}
	grown := float64(last.each(last.cpu()))/float64(first.each(first.cpu())) - 1
	r.declare(grown <= mostGrowth, percent(grown), "CPU a video grows by at most %s from %d to %d videos", percent(mostGrowth), first.videos, last.videos)
	grown = last.events()/first.events() - 1
	r.declare(grown <= mostHistory, percent(grown), "history events a video grow by at most %s", percent(mostHistory))
	grown = memoryGrowth(last)
	r.declare(grown <= mostGrowth, percent(grown), "memory of winnow grows by at most %s from a tenth of %d videos on", percent(mostGrowth), last.videos)
}

func percent(x float64) string { return fmt.Sprintf("%+.1f %%", 100*x) }

// tellMemory prints a run in tenths.
func tellMemory(r *report, run *sleptRun) {
	r.say("Memory over the %d videos, resident, and what the server took in each tenth:", run.videos)
	var rows [][]string
	from := sample{}
	if len(run.samples) > 0 {
		from = run.samples[0]
	}
	for tenth := 1; tenth <= 10; tenth++ {
		at, ok := sampleAt(run, tenth)
		if !ok || at.videos == from.videos {
			continue
		}
		rows = append(rows, []string{
			fmt.Sprint(at.videos), mb(at.workerRSS), mb(at.serverRSS),
			ms(per(at.serverCPU-from.serverCPU, int(at.videos-from.videos))),
			fmt.Sprintf("%.1f", float64(at.videos-from.videos)/(at.at-from.at).Seconds()),
		})
		from = at
	}
	r.table([]string{"videos", "winnow, MB", "Temporal, NATS, S3, MB", "server's CPU a video, ms", "videos a second"}, rows)
}

// sampleAt is the first sample after so many tenths of the videos.
func sampleAt(run *sleptRun, tenths int) (sample, bool) {
	i := slices.IndexFunc(run.samples, func(s sample) bool { return s.videos*10 >= int64(run.videos)*int64(tenths) })
	if i < 0 {
		i = len(run.samples) - 1
	}
	if i < 0 {
		return sample{}, false
	}
	return run.samples[i], true
}

// memoryGrowth is how much larger the worker's memory is in the last tenth than
// in the second: medians, for the garbage collector makes it swing.
func memoryGrowth(run *sleptRun) float64 {
	within := func(from, to int) (all []float64) {
		for _, s := range run.samples {
			if done := s.videos * 10 / int64(run.videos); done >= int64(from) && done < int64(to) {
				all = append(all, float64(s.workerRSS))
			}
		}
		return all
	}
	early, late := within(1, 2), within(9, 11)
	if len(early) == 0 || len(late) == 0 {
		return 0
	}
	return median(late)/median(early) - 1
}

func median(all []float64) float64 {
	sorted := slices.Sorted(slices.Values(all))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// medianOf is the median of a figure over runs.
func medianOf(runs []*workedRun, figure func(*workedRun) time.Duration) time.Duration {
	var all []float64
	for _, r := range runs {
		all = append(all, float64(figure(r)))
	}
	return time.Duration(median(all))
}

func wall(r *workedRun) time.Duration { return r.wall }
func cpu(r *workedRun) time.Duration  { return r.by.all() }

// scaling is one of something beside more of it.
type scaling struct {
	what      string
	times     int // more by one
	items     int
	few, more []*workedRun
}

// bound is how much faster more of it can be: as many times as there are more,
// or until all cores are at work on all there is to do.
func (s scaling) bound() float64 {
	cores := float64(runtime.NumCPU())
	return min(float64(s.times), cores*float64(medianOf(s.few, wall))/float64(medianOf(s.more, cpu)))
}

func (s scaling) tell(r *report) {
	r.section(fmt.Sprintf("%d %s beside one", s.times, s.what))
	one, all := medianOf(s.few, wall), medianOf(s.more, wall)
	r.table([]string{"", "wall, s", "CPU, s", "cores at work"}, [][]string{
		{"one", sec(one), sec(medianOf(s.few, cpu)), fmt.Sprintf("%.2f", medianOf(s.few, cpu).Seconds()/one.Seconds())},
		{fmt.Sprint(s.times), sec(all), sec(medianOf(s.more, cpu)), fmt.Sprintf("%.2f", medianOf(s.more, cpu).Seconds()/all.Seconds())},
	})
	faster := float64(one) / float64(all)
	r.say("%d items; medians of %d rounds. %.2f times as fast; the %d cores allow %.2f.", s.items, len(s.few), faster, runtime.NumCPU(), s.bound())
	r.declare(faster >= 0.9*s.bound(), fmt.Sprintf("%.2f of %.2f", faster, s.bound()), "%d %s: 0.9 of what the cores allow", s.times, s.what)
}

// comparison is Winnow beside its stages in a plain loop.
type comparison struct {
	items       int
	plain, ours []*workedRun
}

func (c comparison) tell(r *report) {
	r.section("Beside a plain loop")
	row := func(name string, runs []*workedRun) []string {
		each := func(of func(shares) time.Duration) string {
			return ms(per(medianOf(runs, func(r *workedRun) time.Duration { return of(r.by) }), c.items))
		}
		w, u := medianOf(runs, wall), medianOf(runs, cpu)
		return []string{
			name, sec(w), fmt.Sprintf("%.2f", u.Seconds()/w.Seconds()), each(shares.all),
			each(func(s shares) time.Duration { return s.decoders }), each(func(s shares) time.Duration { return s.winnow }),
			each(func(s shares) time.Duration { return s.infers }), each(func(s shares) time.Duration { return s.server + s.client }),
		}
	}
	r.table([]string{"", "wall, s", "cores at work", "CPU a video, ms", "winnow-decode", "winnow or the loop", "winnow-infer", "Temporal, NATS, S3, client"},
		[][]string{row("plain loop", c.plain), row("Winnow", c.ours)})
	longer, dearer := c.more(wall), c.more(cpu)
	same := c.sameAnswers()
	r.say("%d videos, one question each; medians of %d rounds. Winnow takes %s of wall time and %s of CPU (%s ms a video); %d of %d answers are the same text.",
		c.items, len(c.ours), percent(longer), percent(dearer), ms(per(medianOf(c.ours, cpu)-medianOf(c.plain, cpu), c.items)), same, c.items)
	each := per(medianOf(c.plain, cpu), c.items)
	r.declare(each >= dearVideo, sec(each)+" s", "a video costs at least %s s of CPU", sec(dearVideo))
	r.declare(longer <= mostLonger, percent(longer), "Winnow takes at most %s longer than the loop", percent(mostLonger))
	r.declare(same == c.items, fmt.Sprint(same), "all %d answers are those of the loop", c.items)
}

// more is how much more of a figure Winnow takes, the median over rounds.
func (c comparison) more(figure func(*workedRun) time.Duration) float64 {
	var all []float64
	for i, ours := range c.ours {
		all = append(all, float64(figure(ours))/float64(figure(c.plain[i]))-1)
	}
	return median(all)
}

func (c comparison) sameAnswers() (n int) {
	for i, answer := range c.ours[0].answers {
		if answer == c.plain[0].answers[i] {
			n++
		}
	}
	return n
}

// onceRun is a job, and then the same at another keep.
type onceRun struct {
	videos, questions int
	first, second     *workedRun
}

func tellOnce(r *report, all []onceRun) {
	r.section("Encode once, ask many")
	var rows [][]string
	for _, one := range all {
		rows = append(rows, one.row("keep 0.15, empty store", one.first), one.row("keep 0.3, the same store", one.second))
	}
	r.table([]string{"", "questions a video", "wall, s", "CPU a video, s", "CPU a question, s", "decodes", "encodes", "items whose tokens were there"}, rows)
	for _, one := range all {
		made := fmt.Sprintf("%d decodes, %d encodes", one.first.made(job.StageDecode), one.first.made(job.StageEncode))
		r.declare(one.first.made(job.StageDecode) == one.videos && one.first.made(job.StageEncode) == one.videos, made,
			"%d questions: each of %d videos is decoded and encoded once", one.questions, one.videos)
		again := one.second.made(job.StageDecode) + one.second.made(job.StageEncode)
		there := one.second.cached == one.videos*one.questions
		r.declare(again == 0 && there, fmt.Sprint(again), "%d questions: at another keep nothing is decoded or encoded", one.questions)
	}
}

func (o onceRun) row(name string, run *workedRun) []string {
	return []string{
		name, fmt.Sprint(o.questions), sec(run.wall), fmt.Sprintf("%.2f", per(run.by.all(), o.videos).Seconds()),
		fmt.Sprintf("%.2f", per(run.by.all(), o.videos*o.questions).Seconds()), fmt.Sprint(run.made(job.StageDecode)),
		fmt.Sprint(run.made(job.StageEncode)), fmt.Sprintf("%d of %d", run.cached, o.videos*o.questions),
	}
}
