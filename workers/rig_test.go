package workers

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/winnow-video/winnow/infer/bundle"
	"github.com/winnow-video/winnow/infer/device"
	"github.com/winnow-video/winnow/infer/tensor"
	"github.com/winnow-video/winnow/workflows"
	"github.com/winnow-video/winnow/workflows/artifact"
	"github.com/winnow-video/winnow/workflows/artifact/s3store"
	"github.com/winnow-video/winnow/workflows/bus"
	"github.com/winnow-video/winnow/workflows/job"
	"github.com/winnow-video/winnow/workflows/stack"
	"github.com/winnow-video/winnow/workflows/stack/stacktest"
)

var record = flag.Bool("record", false, "write the histories of these jobs to ../workflows/testdata/next, for its replay test")

func TestMain(m *testing.M) {
	if os.Getenv(workerEnv) != "" {
		os.Exit(workerProcess())
	}
	os.Exit(stacktest.Main(m))
}

// services are open connections to a stack.
type services struct {
	temporal client.Client
	store    *s3store.Store
	bus      *bus.Bus
	s3       s3store.Config
}

func connect(ctx context.Context, s *stack.Services, name string) (*services, error) {
	temporal, err := s.Temporal.Dial(ctx, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	store, err := s3store.Open(ctx, s.S3)
	if err != nil {
		return nil, err
	}
	s.NATS.Name = name
	b, err := bus.Connect(ctx, s.NATS)
	if err != nil {
		return nil, err
	}
	return &services{temporal, store, b, s.S3}, nil
}

func (s *services) close() {
	s.bus.Close()
	s.temporal.Close()
}

// decoder is a program that tells its build and dies on every video: clips are
// put into the store by these tests, unless a video is to kill its decoder.
func writeDecoder(dir string) (path string, err error) {
	path = filepath.Join(dir, "winnow-decode")
	return path, os.WriteFile(path, []byte("#!/bin/sh\n[ \"$1\" = --version ] && echo "+testDecoder+" && exit 0\nexit 3\n"), 0o700)
}

const testDecoder = "test-decoder"

// serve runs a worker on all queues until ctx ends.
func (s *services) serve(ctx context.Context, dir string) error {
	decoder, err := writeDecoder(dir)
	if err != nil {
		return err
	}
	return s.serveWith(ctx, dir, decoder, Deployment{})
}

// serveWith runs a worker of a release, whose name it takes.
func (s *services) serveWith(ctx context.Context, dir, decoder string, release Deployment) error {
	s3, err := s.s3.Client()
	if err != nil {
		return err
	}
	name := "worker-under-test"
	if release.BuildID != "" {
		name = release.BuildID
	}
	return Run(ctx, Config{
		Temporal: s.temporal, Store: s.store, Bus: s.bus, S3: s3, DecodePath: decoder,
		StateDir: dir, LocalFiles: true, Name: name, Slots: Slots{Main: 4, Decode: 2},
		Deployment: release,
	})
}

// shared is the one worker, for task queues are shared as well.
var shared struct {
	once sync.Once
	err  error
	*services
}

func startShared(t *testing.T) *services {
	t.Helper()
	shared.once.Do(func() {
		if shared.services, shared.err = connect(context.Background(), stacktest.Start(t), "tests"); shared.err != nil {
			return
		}
		dir, err := os.MkdirTemp("", "winnow-workers-")
		if err != nil {
			shared.err = err
			return
		}
		go func() {
			if err := shared.serve(context.Background(), dir); err != nil {
				panic(err)
			}
		}()
	})
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.services
}

// rig is a job of its own on real servers.
type rig struct {
	*services
	oracle   *oracle
	id       string
	dir      string // of videos
	spec     job.Spec
	items    []job.Item
	bundle   string
	pageSize int
	priority temporal.Priority // of the job's workflow
	input    workflows.JobInput
	run      client.WorkflowRun
}

func newRig(t *testing.T, s *services) *rig {
	t.Helper()
	bundleDir, digest := writeBundleNamed(t, t.Name())
	r := &rig{services: s, id: jobName(t) + "-00000000.1", dir: t.TempDir(), bundle: digest, pageSize: 500}
	r.oracle = newOracle(s.bus, s.store, digest)
	r.spec = testSpec(bundleDir, nil)
	return r
}

func jobName(t *testing.T) string {
	return strings.NewReplacer("/", "-", " ", "-").Replace(strings.ToLower(t.Name()))
}

// video adds questions about a video that is decoded already, to clip.
func (r *rig) video(t *testing.T, name string, asked int) (clip artifact.Key) {
	t.Helper()
	path := r.broken(t, name, name+" of "+t.Name(), asked)
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b, err := bundle.Open(t.Context(), r.spec.Bundle)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	id := fmt.Sprintf("sha256-%x", sha256.Sum256(content))
	keys := sharedKeys(id, r.items[len(r.items)-1], r.spec, b, testDecoder, Encoder{Provider: device.CPU, Precision: "f32"})
	body, err := tensor.Encode(testClip(byte(len(r.items))))
	if err != nil {
		t.Fatal(err)
	}
	put(t, r.store, keys.Clip, body)
	return keys.Clip
}

// broken adds questions about a file of this content.
func (r *rig) broken(t *testing.T, name, content string, asked int) (path string) {
	t.Helper()
	path = filepath.Join(r.dir, name)
	writeFile(t, path, []byte(content))
	r.items = append(r.items, questions(path, asked)...)
	return path
}

// start submits the job as package control does.
func (r *rig) start(t *testing.T) {
	t.Helper()
	if r.input.V == 0 {
		r.input.Run = workflows.Run{V: workflows.Version, Job: r.id, Bundle: r.bundle}
		r.input.Items, r.input.Variants = len(r.items), len(r.spec.Prune)
		r.input.Pages = storeJob(t, r.store, r.id, r.spec, r.items, r.pageSize)
	}
	run, err := r.temporal.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{
		ID: workflows.JobWorkflowID(r.id), TaskQueue: workflows.QueueMain,
		WorkflowIDReusePolicy: enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		Priority:              r.priority,
	}, workflows.JobType, r.input)
	if err != nil {
		t.Fatal(err)
	}
	r.run = run
}

func (r *rig) wait(t *testing.T) workflows.JobResult {
	t.Helper()
	var result workflows.JobResult
	if err := r.run.Get(t.Context(), &result); err != nil {
		t.Fatal(err)
	}
	return result
}

func (r *rig) signal(t *testing.T, name string) {
	t.Helper()
	if err := r.temporal.SignalWorkflow(t.Context(), r.id, "", name, nil); err != nil {
		t.Fatal(err)
	}
}

// ends is how every item ended, by id and variant; each exactly once, in
// manifest order within each file.
func (r *rig) ends(t *testing.T) map[string]job.Code {
	t.Helper()
	got := map[string]job.Code{}
	for _, name := range []string{"results.jsonl", "errors.jsonl"} {
		var lines []int
		for _, record := range r.read(t, name) {
			key := record.ID + " " + record.Variant
			if _, twice := got[key]; twice {
				t.Errorf("%s has more than one record", key)
			}
			if (record.Result != nil) != (name == "results.jsonl") || (record.Failure == nil) != (record.Result != nil) {
				t.Errorf("%s: %+v", name, record)
			}
			got[key] = codeOf(record)
			lines = append(lines, slices.IndexFunc(r.items, func(i job.Item) bool { return i.ID == record.ID }))
		}
		if !slices.IsSorted(lines) {
			t.Errorf("%s is not in manifest order: %v", name, lines)
		}
	}
	if want := len(r.items) * len(r.spec.Prune); len(got) != want {
		t.Errorf("%d items have records, want %d", len(got), want)
	}
	return got
}

func (r *rig) read(t *testing.T, name string) []job.Record {
	t.Helper()
	text, err := r.store.Get(t.Context(), artifact.JobFile(r.id, name))
	if err != nil {
		t.Fatal(err)
	}
	records, err := job.ReadLines[job.Record](text)
	if err != nil {
		t.Fatal(err)
	}
	return records
}

// wantEnds checks ends. What is not ok is named by item and variant, by item or by video.
func (r *rig) wantEnds(t *testing.T, want map[string]job.Code) {
	t.Helper()
	full := map[string]job.Code{}
	for _, item := range r.items {
		for _, p := range r.spec.Prune {
			key := item.ID + " " + p.Variant()
			for _, name := range []string{filepath.Base(item.Video), item.ID, key} {
				if code, ok := want[name]; ok {
					full[key] = code
				}
			}
			full[key] += ""
		}
	}
	if diff := cmp.Diff(full, r.ends(t)); diff != "" {
		t.Errorf("ends of items (-want +got):\n%s", diff)
	}
}

func (r *rig) status(t *testing.T) workflows.Status {
	t.Helper()
	text, err := r.store.Get(t.Context(), artifact.JobFile(r.id, "state.json"))
	if err != nil {
		t.Fatal(err)
	}
	var st workflows.Status
	if err := json.Unmarshal(text, &st); err != nil {
		t.Fatal(err)
	}
	return st
}

// follow yields the job's events until stop says so; the test's deadline is its limit.
func (r *rig) follow(t *testing.T, stop func(job.Event) bool) (seen []job.Event) {
	t.Helper()
	id, err := job.ParseID(r.id)
	if err != nil {
		t.Fatal(err)
	}
	for e, err := range r.services.bus.Follow(t.Context(), id) {
		if err != nil {
			t.Fatal(err)
		}
		if seen = append(seen, e); stop(e) {
			return seen
		}
	}
	t.Fatal("the events ended")
	return nil
}

func isState(s job.State) func(job.Event) bool {
	return func(e job.Event) bool { return e.Kind == job.EventState && e.State == s }
}

func testClip(seed byte) *tensor.File {
	f := &tensor.File{Metadata: map[string]string{"v": "1", "duration_s": "4"}}
	frames := tensor.New[uint8](testT, 8, 8, 3)
	for i := range frames.Data {
		frames.Data[i] = seed + byte(i%5)
	}
	tensor.Put(f, "frames", frames)
	tensor.Put(f, "index", tensor.Dense[int64]{Shape: tensor.Shape{testT}, Data: []int64{0, 99}})
	tensor.Put(f, "pts_s", tensor.Dense[float64]{Shape: tensor.Shape{testT}, Data: []float64{0, 3.3}})
	return f
}

// workerEnv holds the state folders of a stack and of the worker that this
// test binary is then to be instead: one that can be killed.
const workerEnv = "WINNOW_TEST_WORKER"

func workerProcess() int {
	stackDir, dir, _ := strings.Cut(os.Getenv(workerEnv), string(os.PathListSeparator))
	err := func() error {
		found, err := stack.ReadState(stackDir)
		if err != nil {
			return err
		}
		s, err := connect(context.Background(), &found, "worker process")
		if err != nil {
			return err
		}
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin)
			os.Exit(0) // whoever started this is gone
		}()
		return s.serve(context.Background(), dir)
	}()
	fmt.Fprintln(os.Stderr, err)
	return 1
}
