package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/winnow-video/winnow/workflows/job"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == asleepCommand { // the worker of a dormitory
		if err := run(context.Background(), os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// tiny is the smallest benchmark there is.
func tiny(t *testing.T) options {
	t.Helper()
	o, err := parse([]string{
		"--sizes", "20", "--videos", "2", "--rounds", "1", "--bin", "../../bin", "--work", t.TempDir(),
		"--bundle", "../bundle/demo", "--clips", "../bundle/demo-clips",
	})
	if err != nil {
		t.Fatal(err)
	}
	o.idle = time.Millisecond
	return o
}

func TestAsleep(t *testing.T) {
	t.Parallel()
	o := tiny(t)
	d, err := newDormitory(t.Context(), o.programs)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.close(); err != nil {
			t.Error(err)
		}
	})
	run, err := d.orchestrate(t.Context(), 20) // fails unless all 20 are recorded
	if err != nil {
		t.Fatal(err)
	}
	if h := run.history; h.workflows != 22 || h.events < 20*20 || h.bytes == 0 || h.transitions == 0 {
		t.Errorf("history %+v, want that of a job, a page and 20 videos", h)
	}
	if run.worker == 0 || run.server == 0 {
		t.Errorf("CPU of the worker %v, of the server %v", run.worker, run.server)
	}
	var out bytes.Buffer
	tellAsleep(&report{out: &out}, []*sleptRun{run}, 0)
	if !strings.Contains(out.String(), "| 20 |") {
		t.Errorf("no row of 20 videos:\n%s", &out)
	}
}

// TestOnce runs real programs: each video is decoded and encoded once, whatever
// is asked of it and at whichever keep.
func TestOnce(t *testing.T) {
	t.Parallel()
	o := tiny(t)
	err := o.withVideos(o.copies, demoFiles, func(videos []string) error {
		run, err := o.askTwice(t.Context(), videos, 3)
		if err != nil {
			return err
		}
		for _, stage := range []job.Stage{job.StageDecode, job.StageEncode} {
			if first, second := run.first.made(stage), run.second.made(stage); first != 2 || second != 0 {
				t.Errorf("%s: %d and then %d, want 2 and 0", stage, first, second)
			}
		}
		if run.first.cached != 0 || run.second.cached != 6 {
			t.Errorf("items whose tokens were there: %d and then %d, want 0 and 6", run.first.cached, run.second.cached)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestCopiesDiffer(t *testing.T) {
	t.Parallel()
	files, err := demoClips("../bundle/demo-clips")
	if err != nil {
		t.Fatal(err)
	}
	videos, err := copies(t.TempDir(), files[:1], 2)
	if err != nil {
		t.Fatal(err)
	}
	a, errA := os.ReadFile(videos[0])
	b, errB := os.ReadFile(videos[1])
	if errA != nil || errB != nil || len(a) != len(b) || bytes.Equal(a, b) {
		t.Errorf("%s and %s: %v, %v; want two files of a size that differ", videos[0], videos[1], errA, errB)
	}
}

func TestAskedIDsAreUnique(t *testing.T) {
	t.Parallel()
	items, err := asked("../bundle/demo-clips", []string{"/a.mp4", "/b.mp4"}, 10)
	if err != nil {
		t.Fatal(err)
	}
	ids, questions := map[string]bool{}, map[string]bool{}
	for _, item := range items {
		ids[item.ID], questions[item.Video+item.Question] = true, true
	}
	if len(ids) != 20 || len(questions) != 20 {
		t.Errorf("%d ids, %d questions of videos, want 20 each", len(ids), len(questions))
	}
}

func TestMemoryGrowth(t *testing.T) {
	t.Parallel()
	run := &sleptRun{videos: 100}
	for videos := range int64(101) {
		s := sample{videos: videos, workerRSS: 100}
		if videos < 10 {
			s.workerRSS = 50 // it is still starting
		}
		if videos >= 90 {
			s.workerRSS = 120
		}
		run.samples = append(run.samples, s)
	}
	if got := fmt.Sprintf("%.2f", memoryGrowth(run)); got != "0.20" {
		t.Errorf("growth %s, want 0.20: of the last tenth by the second", got)
	}
}

func TestScalingBound(t *testing.T) {
	t.Parallel()
	runs := func(wall, cpu time.Duration) []*workedRun { return []*workedRun{{wall: wall, by: shares{winnow: cpu}}} }
	s := scaling{times: 2, few: runs(time.Hour, time.Minute), more: runs(time.Hour, time.Minute)}
	if got := s.bound(); got != 2 {
		t.Errorf("bound %v where cores are idle, want the number of programs", got)
	}
}

func TestUsage(t *testing.T) {
	t.Parallel()
	for began := time.Now(); time.Since(began) < 50*time.Millisecond; { // of CPU, for the clock to tick
	}
	u, err := usageOf(os.Getpid())
	if err != nil || u.cpu <= 0 || u.rss < 1<<20 {
		t.Errorf("this process used %+v, %v", u, err)
	}
	if _, err := usageOf(-1); err == nil {
		t.Error("a process that is not there has used something")
	}
}

func TestFlagsAreRefused(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"--sizes 10,many": "--sizes 10,many: want numbers",
		"--sizes 0":       "--sizes 0: want numbers",
		"--only nothing":  "--only nothing: no such part",
	} {
		if _, err := parse(strings.Fields(args)); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v, want %q", args, err, want)
		}
	}
}

// TestReadmeNamesParts holds the README to what the program measures.
func TestReadmeNamesParts(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("README.md"))
	if err != nil {
		t.Fatal(err)
	}
	var missing []string
	for _, p := range parts() {
		if !strings.Contains(string(text), "`"+p.name+"`") {
			missing = append(missing, p.name)
		}
	}
	if diff := cmp.Diff([]string(nil), missing); diff != "" {
		t.Errorf("README.md says nothing of parts (-want +got):\n%s", diff)
	}
}
