package workers

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.temporal.io/sdk/client"

	"github.com/winnow-video/winnow/workflows"
	"github.com/winnow-video/winnow/workflows/bus"
	"github.com/winnow-video/winnow/workflows/job"
	"github.com/winnow-video/winnow/workflows/stack/stacktest"
)

// releases are workers of several builds on one stack.
type releases struct {
	*services
	stop map[string]func() // by build id
}

func newReleases(t *testing.T) *releases {
	t.Helper()
	d := stacktest.StartIn(t, t.TempDir())
	s, err := connect(t.Context(), &d.Services, "releases")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	return &releases{s, map[string]func(){}}
}

// roll starts workers of a build beside those there are, and makes it the current one.
func (r *releases) roll(t *testing.T, build string, v Versioning) {
	t.Helper()
	dir := t.TempDir()
	decoder, err := writeDecoder(dir)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := r.serveWith(ctx, dir, decoder, Deployment{Name: "winnow", BuildID: build, Versioning: v}); err != nil {
			t.Error(err)
		}
	})
	r.stop[build] = sync.OnceFunc(func() { stop(); serving.Wait() })
	t.Cleanup(r.stop[build])
	handle := r.temporal.WorkerDeploymentClient().GetHandle("winnow")
	for {
		if _, err := handle.SetCurrentVersion(t.Context(), client.WorkerDeploymentSetCurrentVersionOptions{BuildID: build}); err == nil {
			return
		}
		time.Sleep(100 * time.Millisecond) // the server has not seen all of its queues polled
	}
}

// held is a job of three videos whose first encode waits until it is let go on.
func (r *releases) held(t *testing.T, turn int) (j *rig, reached chan struct{}, release func()) {
	t.Helper()
	j = newRig(t, r.services)
	for _, name := range []string{"a.mp4", "b.mp4", "c.mp4"} {
		j.video(t, name, 1)
	}
	j.pageSize = 1
	j.input.Window = workflows.Window{Pages: 1, Turn: turn}
	reached = make(chan struct{}, 16)
	released := make(chan struct{})
	j.oracle.hold = func(ctx context.Context, _ bus.Request) {
		reached <- struct{}{}
		select {
		case <-released:
		case <-ctx.Done():
		}
	}
	j.oracle.start(t)
	j.start(t)
	return j, reached, func() { close(released) }
}

// ran is which builds recorded a job's videos, in manifest order; every item is there once.
func (r *rig) ran(t *testing.T) (builds []string) {
	t.Helper()
	if result := r.wait(t); result.Tally.OK != len(r.items) {
		t.Errorf("result = %+v", result)
	}
	r.wantEnds(t, nil)
	for _, record := range r.read(t, "results.jsonl") {
		builds = append(builds, record.Run.Worker)
	}
	return builds
}

// A job that began with a release ends with it, while the next one runs what begins.
func TestPinnedJobEndsWhereItBegan(t *testing.T) {
	t.Parallel()
	r := newReleases(t)
	r.roll(t, "one", Pinned)
	older, reached, release := r.held(t, 0)
	<-reached
	r.roll(t, "two", Pinned)
	release()
	newer := older.next(func(*job.Spec) {})
	newer.start(t)
	for _, tc := range []struct {
		job  *rig
		want string
	}{{older, "one"}, {newer, "two"}} {
		if diff := cmp.Diff(slices.Repeat([]string{tc.want}, 3), tc.job.ran(t)); diff != "" {
			t.Errorf("builds that ran %s (-want +got):\n%s", tc.job.id, diff)
		}
	}
}

// A pinned job goes over to the current release between turns; the older one may go then.
func TestPinnedJobGoesOverBetweenTurns(t *testing.T) {
	t.Parallel()
	r := newReleases(t)
	r.roll(t, "one", Pinned)
	j, reached, release := r.held(t, 1)
	<-reached
	r.roll(t, "two", Pinned)
	release()
	if diff := cmp.Diff([]string{"one", "two", "two"}, j.ran(t)); diff != "" {
		t.Errorf("builds that ran each page (-want +got):\n%s", diff)
	}
}

// An upgraded job goes on with the current release, and needs the older one no more.
func TestAutoUpgradedJobGoesOver(t *testing.T) {
	t.Parallel()
	r := newReleases(t)
	r.roll(t, "one", AutoUpgrade)
	j, reached, release := r.held(t, 0)
	<-reached
	r.roll(t, "two", AutoUpgrade)
	r.stop["one"]()
	release()
	if diff := cmp.Diff([]string{"two", "two", "two"}, j.ran(t)); diff != "" {
		t.Errorf("builds that ran each page (-want +got):\n%s", diff)
	}
}

func TestDeploymentIsRefused(t *testing.T) {
	t.Parallel()
	for want, d := range map[string]Deployment{
		"":                               {},
		"deployment: Name is not set":    {BuildID: "one"},
		"deployment: BuildID is not set": {Name: "winnow"},
		`"sometimes": want one of [pinned auto-upgrade]`: {Name: "winnow", BuildID: "one", Versioning: "sometimes"},
	} {
		got := ""
		if err := d.Validate(); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%+v: %q, want %q", d, got, want)
		}
	}
}
