package control_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.temporal.io/sdk/client"

	"github.com/winnow-video/winnow/workers"
	"github.com/winnow-video/winnow/workflows/artifact/s3store"
	"github.com/winnow-video/winnow/workflows/bus"
	"github.com/winnow-video/winnow/workflows/control"
	"github.com/winnow-video/winnow/workflows/job"
	"github.com/winnow-video/winnow/workflows/stack"
	"github.com/winnow-video/winnow/workflows/stack/stacktest"
)

func TestMain(m *testing.M) { os.Exit(stacktest.Main(m)) }

// rig is a stack with its jobs. Their bundle does not exist: every item ends as
// config/bundle, by the real workflows and activities, with no model needed.
type rig struct {
	jobs     *control.Jobs
	temporal client.Client
	store    *s3store.Store
	bus      *bus.Bus
	config   s3store.Config
}

func connect(t *testing.T, s stack.Services) *rig {
	t.Helper()
	temporal, err := s.Temporal.Dial(t.Context(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(temporal.Close)
	store, err := s3store.Open(t.Context(), s.S3)
	if err != nil {
		t.Fatal(err)
	}
	b, err := bus.Connect(t.Context(), s.NATS)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return &rig{control.New(temporal, store, b), temporal, store, b, s.S3}
}

// alone is a rig on a stack of the test's own, where nothing works until work is called.
func alone(t *testing.T) *rig {
	t.Helper()
	return connect(t, stacktest.StartIn(t, t.TempDir()).Services)
}

// work runs a worker until the test ends.
func (r *rig) work(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	decoder := filepath.Join(dir, "winnow-decode")
	if err := os.WriteFile(decoder, []byte("#!/bin/sh\necho test\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	s3, err := r.config.Client()
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	serving.Go(func() {
		err := workers.Run(ctx, workers.Config{
			Temporal: r.temporal, Store: r.store, Bus: r.bus, S3: s3, DecodePath: decoder,
			StateDir: dir, LocalFiles: true, Name: "worker", Slots: workers.Slots{Main: 4},
		})
		if err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { stop(); serving.Wait() })
}

// submission is n questions, two about each video, with two variants.
func submission(t *testing.T, name string, n int) control.Submission {
	t.Helper()
	var manifest bytes.Buffer
	dir := t.TempDir()
	for i := range n {
		fmt.Fprintf(&manifest, `{"id":"q%d","video":"%d.mp4","question":"What?"}`+"\n", i, i/2)
	}
	var items []job.Item
	for item, err := range job.ReadManifest(bytes.NewReader(manifest.Bytes()), "manifest.jsonl", dir) {
		if err != nil {
			t.Fatal(err)
		}
		items = append(items, item)
	}
	spec := job.NewSpec()
	spec.Name, spec.Manifest, spec.Bundle = name, filepath.Join(dir, "manifest.jsonl"), dir
	spec.Prune = job.Prunings{job.DefaultPruning(), {Method: "none"}}
	return control.Submission{
		Spec: spec.WithDefaults(), Items: items, Manifest: bytes.NewReader(manifest.Bytes()),
		Bundle: strings.Repeat("0123456789abcdef", 4),
	}
}

func (r *rig) submit(t *testing.T, s control.Submission, want control.Outcome) job.ID {
	t.Helper()
	id, outcome, err := r.jobs.Submit(t.Context(), s)
	if err != nil || outcome != want {
		t.Fatalf("Submit: %v, %q, %v, want %q", id, outcome, err, want)
	}
	return id
}

// end watches the job to its end.
func (r *rig) end(t *testing.T, id job.ID) control.Job {
	t.Helper()
	one, err := r.jobs.Watch(t.Context(), id, func(control.Progress) {})
	if err != nil {
		t.Fatal(err)
	}
	return one
}

// codes is how the items ended, in the order of Results: "id variant code".
func (r *rig) codes(t *testing.T, id job.ID) []string {
	t.Helper()
	var codes []string
	for record, err := range r.jobs.Results(t.Context(), id) {
		if err != nil {
			t.Fatal(err)
		}
		if record.Failure == nil {
			t.Fatalf("%s has an answer without a video", record.ID)
		}
		codes = append(codes, record.ID+" "+record.Variant+" "+string(record.Failure.Code))
	}
	return codes
}

// wantAll checks that all n items ended the same, in manifest order, each variant once.
func (r *rig) wantAll(t *testing.T, id job.ID, n int, code job.Code) {
	t.Helper()
	var want []string
	for i := range n {
		for _, variant := range []string{"rediprune-0.15", "none"} {
			want = append(want, fmt.Sprintf("q%d %s %s", i, variant, code))
		}
	}
	if diff := cmp.Diff(want, r.codes(t, id)); diff != "" {
		t.Errorf("records of %s (-want +got):\n%s", id, diff)
	}
}

// await looks at the job until it is in this state.
func (r *rig) await(t *testing.T, id job.ID, want job.State) {
	t.Helper()
	for {
		one, err := r.jobs.Show(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if one.Status.State == want {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
}
