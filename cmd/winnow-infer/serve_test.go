package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/nats-io/nats.go"

	"github.com/winnow-video/winnow/infer/tensor"
	"github.com/winnow-video/winnow/workflows/artifact"
	"github.com/winnow-video/winnow/workflows/bus"
	"github.com/winnow-video/winnow/workflows/job"
)

// longClip is the frames of a clip that a worker runs for a second or more.
const longClip = 30000

// endlessClip is one that no worker finishes before it is told to stop, however
// late a loaded machine tells it.
const endlessClip = 10 * longClip

func TestEncodeAndAnswer(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.serve(t)
	encode, answer := r.clip(t, "clip", 5), r.question(t, "question", 0.5)
	for _, err := range r.ask(t, encode, answer)() {
		if err != nil {
			t.Fatal(err)
		}
	}
	body, err := r.store.Get(t.Context(), encode.Out)
	if err != nil {
		t.Fatal(err)
	}
	f, err := tensor.Decode(body)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(tensor.Shape{5, 4, 16}, f.Tensors["tokens"].Shape); diff != "" {
		t.Errorf("tokens (-want +got):\n%s", diff)
	}
	reply := r.reply(t, answer.Out)
	if reply.V != job.Version || reply.Tokens.VisualKept != 3 || reply.Tokens.VisualTotal != 8 || len(reply.OptionLogprobs) != 2 {
		t.Errorf("reply %+v", reply)
	}
}

// A worker whose network was away finds what it held made by another, and does
// not run it again.
func TestMadeElsewhere(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	request := r.clip(t, "clip", 5)
	asked, back := make(chan bool, 1), make(chan bool)
	var stored atomic.Bool
	r.behind(t, func(_ http.ResponseWriter, req *http.Request) bool {
		switch {
		case strings.HasSuffix(req.URL.Path, string(request.Encode.Clip)):
			select {
			case asked <- true:
			default:
			}
			<-back
		case req.Method == http.MethodPut && strings.HasSuffix(req.URL.Path, string(request.Out)):
			stored.Store(true)
		}
		return false
	})
	r.serve(t)
	ends := r.ask(t, request)
	<-asked
	r.put(t, request.Out, &tensor.File{})
	close(back)
	if err := ends()[0]; err != nil {
		t.Fatal(err)
	}
	_, js := r.raw(t)
	until(t, "the request is off the queue", func() bool {
		consumer, err := js.Consumer(t.Context(), bus.InferStream, request.Class(1).Durable())
		return err == nil && consumer.CachedInfo().NumAckPending == 0
	})
	if stored.Load() {
		t.Error("the tokens were made a second time")
	}
}

// What the device ran for a request is told with its end: something of what is made,
// nothing of what was there.
func TestDeviceTimeIsTold(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.serve(t)
	encode, answer := r.clip(t, "clip", 5), r.question(t, "question", 0.5)
	for _, again := range []bool{false, true} {
		device, errs := r.askTimed(t, encode, answer)()
		for i, took := range device {
			if errs[i] != nil || (took > 0) == again {
				t.Errorf("request %d, again %v: %v on the device, %v", i, again, took, errs[i])
			}
		}
	}
}

// Who hears that a request has ended finds the object, and one end is told of each.
func TestEndIsToldAfterTheObject(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	conn, _ := r.raw(t)
	requests := []bus.Request{r.clip(t, "clip", 5), r.question(t, "question", 0.5), r.question(t, "another", 0.5)}
	var told []*nats.Subscription
	for _, request := range requests {
		s, err := conn.SubscribeSync(bus.DoneSubject(request.Out))
		if err != nil {
			t.Fatal(err)
		}
		told = append(told, s)
	}
	r.serve(t)
	ends := r.ask(t, requests...)
	for i, s := range told {
		m, err := s.NextMsg(patience)
		if err != nil {
			t.Fatal(err)
		}
		var done bus.Done
		if err := json.Unmarshal(m.Data, &done); err != nil || done.Out != requests[i].Out || done.Failure != nil {
			t.Errorf("%s was told: %v", m.Data, err)
		}
		if _, err := r.store.Stat(t.Context(), done.Out); err != nil {
			t.Errorf("%s was told before it was there: %v", done.Out, err)
		}
	}
	ends()
}

func (r *rig) reply(t *testing.T, key artifact.Key) job.Reply {
	t.Helper()
	body, err := r.store.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	var reply job.Reply
	if err := json.Unmarshal(body, &reply); err != nil {
		t.Fatal(err)
	}
	return reply
}

// A request that cannot be met ends as its own failure; those that came with it are answered.
func TestFailuresStayAlone(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	good, noTokens, noLine, notFinite := r.question(t, "good", 0.5), r.question(t, "no-tokens", 0.5), r.question(t, "no-line", 0.5), r.question(t, "not-finite", 1e6)
	noTokens.Answer.Kept = "v1/nowhere/kept/x.safetensors"
	noLine.Answer.Line = 2
	wrongSize := r.clip(t, "wrong-size", 1)
	f := &tensor.File{}
	tensor.Put(f, "frames", tensor.New[uint8](1, 4, 4, 3))
	r.put(t, wrongSize.Encode.Clip, f)
	ends := r.ask(t, good, noTokens, noLine, notFinite, wrongSize)
	r.serve(t)
	var codes []job.Code
	for _, err := range ends() {
		var failure *job.Failure
		if errors.As(err, &failure) {
			codes = append(codes, failure.Code)
		} else {
			codes = append(codes, "")
		}
	}
	want := []job.Code{"", job.InternalError, job.InternalError, job.ModelNotFinite, job.ModelContract}
	if diff := cmp.Diff(want, codes); diff != "" {
		t.Errorf("ends (-want +got):\n%s", diff)
	}
	if _, err := r.store.Stat(t.Context(), notFinite.Out); !errors.Is(err, artifact.ErrNotFound) {
		t.Errorf("something was stored for a failure: %v", err)
	}
}

// A prompt whose keys and values are more than is allowed fails as such, and says what to do.
func TestPromptOverKVMemory(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	p := r.serve(t, "--kv-memory", "4096")
	err := r.ask(t, r.question(t, "large", 0.5))()[0]
	var failure *job.Failure
	if !errors.As(err, &failure) || failure.Code != job.CapacityMemory || !strings.Contains(failure.Detail, "--kv-memory") {
		t.Errorf("%v, want %s that names --kv-memory", err, job.CapacityMemory)
	}
	if !strings.Contains(p.output.String(), "bytes=4096") {
		t.Errorf("the log does not tell the bound:\n%s", p.output)
	}
}

// Questions that share a kept artifact, asked together and later, are answered
// as those are that have one each, but for the last digit that replies have.
func TestQuestionsShareKeptTokens(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.serve(t)
	var alone, together []bus.Request
	for i := range 4 {
		one := r.question(t, fmt.Sprintf("number %d", i), 0.5)
		r.chooseByQuestion(t, one.Answer.Kept)
		other := one
		other.Out += "-shared"
		shared := *one.Answer
		shared.Kept = r.question(t, "shared", 0.5).Answer.Kept
		other.Answer = &shared
		alone, together = append(alone, one), append(together, other)
	}
	for _, requests := range [][]bus.Request{alone, together[:3], together[3:]} {
		for _, err := range r.ask(t, requests...)() {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	for i := range alone {
		if diff := cmp.Diff(r.reply(t, alone[i].Out), r.reply(t, together[i].Out), cmpopts.EquateApprox(0, 1.1e-4)); diff != "" {
			t.Errorf("question %d (-alone +shared):\n%s", i, diff)
		}
	}
}

// chooseByQuestion has a kept artifact say that it was chosen by its question.
func (r *rig) chooseByQuestion(t *testing.T, key artifact.Key) {
	t.Helper()
	body, err := r.store.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	f, err := tensor.Decode(body)
	if err != nil {
		t.Fatal(err)
	}
	tensor.Put(f, "relevance_all", tensor.New[float32](2, 4))
	r.put(t, key, f)
}

// Who hears that a request is done finds its object. A second request for it
// is done at once, and changes nothing.
func TestDoneAfterObject(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.serve(t)
	conn, js := r.raw(t)
	request := r.question(t, "asked-twice", 0.5)
	done, err := conn.SubscribeSync(bus.DoneSubject(request.Out))
	if err != nil {
		t.Fatal(err)
	}
	ends := r.ask(t, request)
	if _, err := done.NextMsg(patience); err != nil {
		t.Fatal(err)
	}
	first, err := r.store.Stat(t.Context(), request.Out)
	if err != nil {
		t.Fatal("done, but:", err)
	}
	if err := ends()[0]; err != nil {
		t.Fatal(err)
	}
	request.Answer.Line = 99 // which would fail
	text, err := json.Marshal(request)
	if err != nil {
		t.Fatal(err)
	}
	until(t, "the queue has forgotten the first request", func() bool {
		_, err := js.Publish(t.Context(), request.Class(1).Subject(request.Out), text)
		return err == nil
	})
	m, err := done.NextMsg(patience)
	if err != nil {
		t.Fatal(err)
	}
	var told bus.Done
	if err := json.Unmarshal(m.Data, &told); err != nil || told.Failure != nil {
		t.Errorf("second time: %+v, %v", told, err)
	}
	if second, err := r.store.Stat(t.Context(), request.Out); err != nil || second != first {
		t.Errorf("the object was %v and is %v, %v", first, second, err)
	}
}

// What a killed worker held goes to the next one, after the queue's ack wait.
func TestKilledWorker(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	_, js := r.raw(t)
	victim := r.serve(t)
	requests := []bus.Request{r.clip(t, "long", 2*longClip), r.clip(t, "waiting", 2), r.clip(t, "waiting-too", 3)}
	before := victim.taken(t)
	ends := r.ask(t, requests[0])
	r.held(t, js, requests[0].Class(1), 1)
	victim.computes(t, before, 200*time.Millisecond)
	more := r.ask(t, requests[1:]...)
	r.held(t, js, requests[0].Class(1), 3)
	if err := victim.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	victim.wait(t)
	if _, err := r.store.Stat(t.Context(), requests[0].Out); !errors.Is(err, artifact.ErrNotFound) {
		t.Fatalf("the worker was to be killed while it ran: %v", err)
	}
	r.serve(t)
	for i, err := range append(ends(), more()...) {
		if err != nil {
			t.Errorf("%s: %v", requests[i].Out, err)
		}
	}
}

// SIGTERM lets the running clip finish and gives back what waits.
func TestDrain(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	_, js := r.raw(t)
	first := r.serve(t, "--drain", patience.String())
	running, waiting := r.clip(t, "running", 2*longClip), []bus.Request{}
	before := first.taken(t)
	ends := r.ask(t, running)
	r.held(t, js, running.Class(1), 1)
	first.computes(t, before, 200*time.Millisecond)
	for i := range 2 {
		waiting = append(waiting, r.clip(t, fmt.Sprint(i), 2))
	}
	more := r.ask(t, waiting...)
	r.held(t, js, running.Class(1), 3)
	if err := first.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if code := first.wait(t); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
	if err := ends()[0]; err != nil {
		t.Errorf("what ran when SIGTERM came: %v", err)
	}
	if output := first.output.String(); !strings.Contains(output, "idle_share=") {
		t.Errorf("it ended without a word of how busy it was: %s", output)
	}
	for _, w := range waiting {
		if _, err := r.store.Stat(t.Context(), w.Out); !errors.Is(err, artifact.ErrNotFound) {
			t.Errorf("%s was made after SIGTERM: %v", w.Out, err)
		}
	}
	r.serve(t)
	for _, err := range more() {
		if err != nil {
			t.Error(err)
		}
	}
}

// What overstays --drain is given back, and the process ends all the same.
func TestDrainIsBounded(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	_, js := r.raw(t)
	p := r.serve(t, "--drain", "1ms")
	request := r.clip(t, "long", endlessClip)
	before := p.taken(t)
	r.ask(t, request)
	r.held(t, js, request.Class(1), 1)
	p.computes(t, before, 2*time.Second)
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if code := p.wait(t); code != 1 || !strings.Contains(p.output.String(), "overstayed --drain") {
		t.Errorf("exit code %d, want 1 and the reason", code)
	}
}

// A run past --limit ends the process, and so frees what a hung device holds.
func TestLimit(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	p := r.serve(t, "--limit", "200ms")
	r.ask(t, r.clip(t, "long", longClip))
	if code := p.wait(t); code != 1 || !strings.Contains(p.output.String(), "overran --limit") {
		t.Errorf("exit code %d, want 1 and the reason", code)
	}
}

// A trace of every graph lies in --profile once the process has ended.
func TestProfile(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	dir := t.TempDir()
	p := r.serve(t, "--profile", dir)
	if err := r.ask(t, r.clip(t, "clip", 2))()[0]; err != nil {
		t.Fatal(err)
	}
	if err := p.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if code := p.wait(t); code != 0 {
		t.Fatalf("exit code %d, want 0", code)
	}
	for graph, want := range map[string]bool{"vision": true, "projector": false, "decoder": false} {
		found, err := filepath.Glob(filepath.Join(dir, graph+"*.json"))
		if err != nil || len(found) != 1 {
			t.Fatalf("%d traces of %s, %v, want one", len(found), graph, err)
		}
		text, err := os.ReadFile(found[0])
		if err != nil {
			t.Fatal(err)
		}
		if ran := strings.Contains(string(text), `"model_run"`); ran != want {
			t.Errorf("%s: its trace has a run: %v, want %v", graph, ran, want)
		}
	}
}

func TestAdvertises(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	p := r.serve(t, "--name", "name-given")
	entry := func() *bus.Worker {
		workers, err := r.bus.Workers(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range workers {
			if w.Bundle == r.bundle.Digest() {
				return &w
			}
		}
		return nil
	}
	until(t, "it stands in the directory", func() bool { return entry() != nil })
	if w := entry(); w.Name != "name-given" || w.Capacity != 16 || len(w.Stages) != 2 {
		t.Errorf("entry %+v", w)
	}
	if err := p.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if code := p.wait(t); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
	if w := entry(); w != nil {
		t.Errorf("it ended, and the directory still has %+v", w)
	}
}

func TestRefuses(t *testing.T) {
	t.Parallel()
	damaged := copyBundle(t)
	if err := os.WriteFile(damaged+"/decoder.onnx", []byte("another"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := newRig(t)
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"no bundle":       {nil, "--bundle is missing"},
		"no stack":        {[]string{"--bundle", r.dir, "--state", t.TempDir()}, "no stack is running here"},
		"a missing file":  {[]string{"--bundle", r.dir, "--services", "nowhere.yaml"}, "nowhere.yaml"},
		"no bucket":       {[]string{"--bundle", r.dir, "--nats-urls", "nats://x:1", "--s3-endpoint", "http://x:1"}, "s3.bucket is missing"},
		"no such bundle":  {[]string{"--bundle", "nowhere", "--state", r.state}, "config/bundle"},
		"another digest":  {[]string{"--bundle", damaged, "--state", r.state}, "decoder.onnx"},
		"no such device":  {[]string{"--bundle", r.dir, "--device", "gpu"}, `"gpu"`},
		"no provider":     {[]string{"--bundle", r.dir, "--state", r.state, "--device", "tensorrt:0"}, "libonnxruntime_providers_tensorrt.so"},
		"no batch":        {[]string{"--bundle", r.dir, "--max-batch", "0"}, "--max-batch 0"},
		"memory below 0":  {[]string{"--bundle", r.dir, "--kv-memory", "-1"}, "--kv-memory -1"},
		"no folder":       {[]string{"--bundle", r.dir, "--profile", "nowhere"}, "profile nowhere"},
		"no library":      {[]string{"--bundle", r.dir, "--state", r.state, "--onnxruntime", "nowhere.so"}, "nowhere.so"},
		"an unknown flag": {[]string{"--bundel", "x"}, "--bundel"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := program(t, test.args...)
			if code := p.wait(t); code == 0 || !strings.Contains(p.output.String(), test.want) {
				t.Errorf("exit code %d, output %q, want %q", code, p.output, test.want)
			}
		})
	}
}
