package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sys/unix"

	"github.com/winnow-video/winnow/infer/bundle"
	"github.com/winnow-video/winnow/infer/tensor"
	"github.com/winnow-video/winnow/workflows/artifact"
	"github.com/winnow-video/winnow/workflows/artifact/s3store"
	"github.com/winnow-video/winnow/workflows/bus"
	"github.com/winnow-video/winnow/workflows/job"
	"github.com/winnow-video/winnow/workflows/stack"
	"github.com/winnow-video/winnow/workflows/stack/stacktest"
)

// programVariable makes the test binary be the program.
const programVariable = "WINNOW_INFER_TEST_PROGRAM"

// patience is what a loaded machine may take for what takes moments on an idle one.
const patience = 2 * time.Minute

func TestMain(m *testing.M) {
	if os.Getenv(programVariable) != "" {
		main()
		return
	}
	os.Exit(stacktest.Main(m))
}

// rig is a bundle of a test's own on the shared servers, so that only its own
// workers take its requests.
type rig struct {
	dir    string // of the bundle
	state  string // with the file of the shared servers
	bundle *bundle.Bundle
	store  *s3store.Store
	bus    *bus.Bus
	stack  *stack.Services
}

func newRig(t *testing.T) *rig {
	t.Helper()
	return newRigOf(t, copyBundle(t))
}

func newRigOf(t *testing.T, dir string) *rig {
	t.Helper()
	r := &rig{dir: dir, stack: stacktest.Start(t), state: t.TempDir()}
	writeJSON(t, filepath.Join(r.state, stack.FileName), r.stack)
	var err error
	if r.bundle, err = bundle.Open(t.Context(), r.dir); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.bundle.Close() })
	if r.store, err = s3store.Open(t.Context(), r.stack.S3); err != nil {
		t.Fatal(err)
	}
	if r.bus, err = bus.Connect(t.Context(), r.stack.NATS); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.bus.Close)
	return r
}

// copyBundle is the tiny bundle of infer/onnx under the test's name, and so of another digest.
func copyBundle(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("..", "..", "infer", "onnx", "testdata", "tiny"))); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, bundle.ManifestFile)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text = bytes.Replace(text, []byte(`"tiny-random"`), []byte(`"`+t.Name()+`"`), 1)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func writeJSON(t *testing.T, path string, v any) {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// process is a running winnow-infer.
type process struct {
	*exec.Cmd
	output *output
	ended  chan struct{}
}

// output is what a process printed so far.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// program starts the program with these arguments.
func program(t *testing.T, args ...string) *process {
	t.Helper()
	p := &process{Cmd: exec.Command(os.Args[0], args...), output: &output{}, ended: make(chan struct{})}
	p.Env = append(os.Environ(), programVariable+"=1")
	p.Stdout, p.Stderr = p.output, p.output
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = p.Wait() // ProcessState tells
		close(p.ended)
	}()
	t.Cleanup(func() {
		_ = p.Process.Kill()
		<-p.ended
		if t.Failed() {
			t.Logf("winnow-infer %s:\n%s", strings.Join(args, " "), p.output)
		}
	})
	return p
}

// serve starts a worker of the rig's bundle and waits until it is ready.
func (r *rig) serve(t *testing.T, args ...string) *process {
	t.Helper()
	p := program(t, append([]string{"--state", r.state, "--bundle", r.dir, "--threads", "1"}, args...)...)
	until(t, "the worker is ready", func() bool { return strings.Contains(p.output.String(), "ready:") })
	return p
}

// behind has processes of the rig reach S3 through a front, which answer sees everything of.
func (r *rig) behind(t *testing.T, answer func(http.ResponseWriter, *http.Request) bool) {
	t.Helper()
	services := *r.stack
	services.S3.Endpoint = stacktest.FrontS3(t, services.S3.Endpoint, nil, answer, nil)
	r.state = t.TempDir()
	writeJSON(t, filepath.Join(r.state, stack.FileName), &services)
}

// until waits for something that has to happen.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}

// wait returns the exit code.
func (p *process) wait(t *testing.T) int {
	t.Helper()
	select {
	case <-p.ended:
		return p.ProcessState.ExitCode()
	case <-time.After(patience):
		t.Fatal("the process does not end")
		return 0
	}
}

// computes waits until the process has taken so much more of a processor than it
// had before: more than fetching takes, so that what it was asked for runs.
func (p *process) computes(t *testing.T, before, more time.Duration) {
	t.Helper()
	until(t, "the process computes", func() bool { return p.taken(t)-before >= more })
}

// taken is the processor time that the process has taken.
func (p *process) taken(t *testing.T) time.Duration {
	t.Helper()
	const scheduler = 2 // clock_getcpuclockid(3)
	var taken unix.Timespec
	if err := unix.ClockGettime(int32(^p.Process.Pid<<3|scheduler), &taken); err != nil {
		t.Fatal(err)
	}
	return time.Duration(taken.Nano())
}

// put stores a tensor file.
func (r *rig) put(t *testing.T, key artifact.Key, f *tensor.File) {
	t.Helper()
	body, err := tensor.Body(f)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.store.Put(t.Context(), key, body, artifact.Replace); err != nil {
		t.Fatal(err)
	}
}

// clip stores a clip of n frames and returns the request for its tokens.
func (r *rig) clip(t *testing.T, name string, n int) bus.Request {
	t.Helper()
	in := artifact.Key(fmt.Sprintf("v1/%s-%s/clip/x.safetensors", t.Name(), name))
	f := &tensor.File{}
	frames := tensor.New[uint8](n, r.bundle.Image.Size, r.bundle.Image.Size, 3)
	for i := range frames.Data {
		frames.Data[i] = uint8(i * 7)
	}
	tensor.Put(f, "frames", frames)
	tensor.Put(f, "index", tensor.New[int64](n))
	tensor.Put(f, "pts_s", tensor.New[float64](n))
	r.put(t, in, f)
	out := artifact.Key(fmt.Sprintf("v1/%s-%s/tokens/x.safetensors", t.Name(), name))
	return bus.Request{V: bus.Version, Bundle: r.bundle.Digest(), Out: out, Encode: &bus.EncodeRequest{Clip: in}}
}

// question stores a page of one question, with kept tokens, and returns the request for its answer.
func (r *rig) question(t *testing.T, name string, value float32) bus.Request {
	t.Helper()
	page := artifact.Key(fmt.Sprintf("jobs/%s-%s/pages/000000.jsonl", t.Name(), name))
	kept := artifact.Key(fmt.Sprintf("v1/%s-%s/kept/x.safetensors", t.Name(), name))
	line, err := json.Marshal(job.Item{ID: name, Question: "What colour is " + name + "?", Options: []string{"red", "blue"}, Line: 2})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.store.Put(t.Context(), page, bytes.NewReader(append([]byte("{}\n"), line...)), artifact.Replace); err != nil {
		t.Fatal(err)
	}
	tokens := tensor.New[tensor.Float16](3, r.bundle.Dims.Vision.Hidden)
	for i := range tokens.Data {
		tokens.Data[i] = tensor.ToFloat16(value + float32(i%5)/8)
	}
	f := &tensor.File{Metadata: map[string]string{"T": "2", "P": "4", "duration_s": "2"}}
	tensor.Put(f, "tokens", tokens)
	tensor.Put(f, "frame", tensor.Dense[int32]{Shape: tensor.Shape{3}, Data: []int32{0, 0, 1}})
	tensor.Put(f, "pts_s", tensor.New[float64](2))
	r.put(t, kept, f)
	return bus.Request{
		V: bus.Version, Bundle: r.bundle.Digest(), Out: artifact.Key(fmt.Sprintf("v1/%s-%s/answer/x.json", t.Name(), name)),
		Answer: &bus.AnswerRequest{
			Kept: kept, Page: page, Line: 1, Fit: job.FitRefuse,
			Generate: job.Generation{Mode: job.ModeGenerate, MaxTokens: 4, TopP: 1},
		},
	}
}

// ask asks for objects, all at once; the returned function waits for their ends.
func (r *rig) ask(t *testing.T, requests ...bus.Request) (ends func() []error) {
	t.Helper()
	ended := r.askTimed(t, requests...)
	return func() []error { _, errs := ended(); return errs }
}

// askTimed tells what the device ran for each, too.
func (r *rig) askTimed(t *testing.T, requests ...bus.Request) (ends func() ([]time.Duration, []error)) {
	t.Helper()
	errs, device := make([]error, len(requests)), make([]time.Duration, len(requests))
	var group sync.WaitGroup
	for i, request := range requests {
		group.Go(func() {
			made, err := r.bus.Await(t.Context(), r.store, request, 1, func() {})
			device[i], errs[i] = made.Device, err
		})
	}
	return func() ([]time.Duration, []error) { group.Wait(); return device, errs }
}

// raw is the queue without Winnow.
func (r *rig) raw(t *testing.T) (*nats.Conn, jetstream.JetStream) {
	t.Helper()
	return stacktest.RawNATS(t, r.stack.NATS)
}

// held waits until a worker holds n requests of a class.
func (r *rig) held(t *testing.T, js jetstream.JetStream, class bus.Class, n int) {
	t.Helper()
	until(t, fmt.Sprintf("a worker holds %d requests", n), func() bool {
		consumer, err := js.Consumer(t.Context(), bus.InferStream, class.Durable())
		return err == nil && consumer.CachedInfo().NumAckPending >= n
	})
}
