package main

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/winnow-video/winnow/infer"
	"github.com/winnow-video/winnow/infer/bundle"
	"github.com/winnow-video/winnow/infer/onnx"
	"github.com/winnow-video/winnow/infer/vllm/vllmtest"
	"github.com/winnow-video/winnow/workflows/artifact"
	"github.com/winnow-video/winnow/workflows/bus"
	"github.com/winnow-video/winnow/workflows/job"
)

// remoteBundle is copyBundle's without its decoder: that is served elsewhere, as "tiny".
func remoteBundle(t *testing.T) string {
	t.Helper()
	dir := copyBundle(t)
	editManifest(t, dir, func(m map[string]any) {
		delete(m["files"].(map[string]any), bundle.DecoderFile)
		m["language"] = bundle.Language{Remote: true, Model: "tiny", Revision: "1"}
	})
	return dir
}

func editManifest(t *testing.T, dir string, edit func(map[string]any)) {
	t.Helper()
	path := filepath.Join(dir, bundle.ManifestFile)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(text, &m); err != nil {
		t.Fatal(err)
	}
	edit(m)
	writeJSON(t, path, m)
}

// tinyServer is the protocol's test server, with the decoder of infer/onnx's
// tiny bundle behind it: what it answers is what that decoder answers here.
func tinyServer(t *testing.T) *vllmtest.Server {
	t.Helper()
	b, err := bundle.Open(t.Context(), copyBundle(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	engine, err := onnx.Open(onnx.Config{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { engine.Close() })
	decoder, err := infer.NewDecoder(engine, b, infer.Limits{Rows: 4096, KV: 64 << 20})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { decoder.Close() })
	l := b.Dims.Language
	return &vllmtest.Server{Model: "tiny", Language: decoder, Width: l.Hidden, Vocab: l.Vocab, Context: b.Context, EOS: b.EOS[0]}
}

const testKey = "sk-not-for-logs"

// serveRemote serves the rig's bundle with a language model at url.
func (r *rig) serveRemote(t *testing.T, url string, args ...string) *process {
	t.Helper()
	t.Setenv("TEST_LANGUAGE_KEY", testKey)
	return r.serve(t, append([]string{"--language-url", url, "--language-key-env", "TEST_LANGUAGE_KEY", "--language-dtype", "F32"}, args...)...)
}

// askMode has the rig answer the one question of these tests.
func (r *rig) askMode(t *testing.T, mode job.Mode) job.Reply {
	t.Helper()
	request := r.question(t, "question", 0.5)
	request.Answer.Generate.Mode = mode
	request.Out += artifact.Key(r.bundle.Short() + string(mode))
	if err := r.ask(t, request)()[0]; err != nil {
		t.Fatal(err)
	}
	return r.reply(t, request.Out)
}

// A question that a server answers ends as one that the decoder answers here,
// but for who answered. The key is told to the server alone.
func TestRemoteEqualsLocal(t *testing.T) {
	server := tinyServer(t)
	server.Key = testKey
	url := server.Start(t)
	first := newRigOf(t, remoteBundle(t))
	p := first.serveRemote(t, url)
	// The model is random, and finds no letter likely: a server cannot tell how unlikely.
	reply := first.askMode(t, job.ModeScore)
	want := []string{job.DegradedLetters, job.DegradedUnparsed}
	if !gocmp.Equal(want, reply.Degraded) || !gocmp.Equal(reply.OptionLogprobs, []*float64{nil, nil}) {
		t.Errorf("degraded %v, log-probabilities %v: want %v and none", reply.Degraded, reply.OptionLogprobs, want)
	}
	if want := "vllm 0.0.test prompt_embeds tiny@1"; reply.Engine != want {
		t.Errorf("engine %q, want %q", reply.Engine, want)
	}
	telling := *server
	telling.AtLeast = telling.Vocab
	dir := remoteBundle(t) // of another digest, so that the first process leaves its requests alone
	editManifest(t, dir, func(m map[string]any) { m["created_by"] = "another export" })
	local, remote := newRigOf(t, copyBundle(t)), newRigOf(t, dir)
	local.serve(t)
	remote.serveRemote(t, telling.Start(t))
	for _, mode := range []job.Mode{job.ModeGenerate, job.ModeScore} {
		want, got := local.askMode(t, mode), remote.askMode(t, mode)
		got.Engine = want.Engine
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-decoder here +server):\n%s", mode, diff)
		}
	}
	if strings.Contains(p.output.String(), testKey) {
		t.Error("the log has the key")
	}
}

// A server that fails costs its requests a typed end, and nothing is stored of
// it: the next worker of a good one answers them.
func TestRemoteFails(t *testing.T) {
	r := newRigOf(t, remoteBundle(t))
	server := tinyServer(t)
	var broken atomic.Bool
	server.Before = func(w http.ResponseWriter, _ *http.Request) bool {
		if broken.Load() {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(`{"choices":[{"finish_reason":"stop"}]}`))
		}
		return broken.Load()
	}
	r.serveRemote(t, server.Start(t))
	broken.Store(true)
	request := r.question(t, "broken", 0.5)
	var failure *job.Failure
	if err := r.ask(t, request)()[0]; !errors.As(err, &failure) || failure.Code != job.ModelContract {
		t.Errorf("%v, want %s", err, job.ModelContract)
	}
	if _, err := r.store.Stat(t.Context(), request.Out); !errors.Is(err, artifact.ErrNotFound) {
		t.Errorf("something was stored for a failure: %v", err)
	}
	broken.Store(false)
	for _, err := range r.ask(t, request)() {
		if err != nil {
			t.Error(err)
		}
	}
}

// Questions run apart where the language model is elsewhere: one that gets no
// answer holds up no other, nor a clip.
func TestRemoteApart(t *testing.T) {
	r := newRigOf(t, remoteBundle(t))
	server := tinyServer(t)
	var first atomic.Bool
	release := make(chan bool)
	server.Before = func(http.ResponseWriter, *http.Request) bool {
		if first.CompareAndSwap(true, false) {
			<-release
		}
		return false
	}
	r.serveRemote(t, server.Start(t), "--max-batch", "4", "--language-inflight", "2")
	first.Store(true)
	requests := []bus.Request{r.clip(t, "clip", 5)}
	for i := range 12 {
		requests = append(requests, r.question(t, string(rune('a'+i)), 0.5))
	}
	ends := make(chan error)
	for _, request := range requests {
		end := r.ask(t, request)
		go func() { ends <- end()[0] }()
	}
	for i := range requests {
		if i == len(requests)-1 {
			close(release)
		}
		if err := <-ends; err != nil {
			t.Error(err)
		}
	}
}

// A server must be asked for one token to score: a prompt that fills the context
// to the last is trimmed by one.
func TestRemoteScoreLeavesAToken(t *testing.T) {
	server := tinyServer(t)
	first := newRigOf(t, remoteBundle(t))
	first.serveRemote(t, server.Start(t))
	length := first.askMode(t, job.ModeScore).Tokens
	dir := remoteBundle(t)
	editManifest(t, dir, func(m map[string]any) { m["context"] = length.Prompt })
	full := *server
	full.Context = length.Prompt
	r := newRigOf(t, dir)
	r.serveRemote(t, full.Start(t))
	request := r.question(t, "question", 0.5)
	request.Answer.Generate.Mode = job.ModeScore
	var failure *job.Failure
	if err := r.ask(t, request)()[0]; !errors.As(err, &failure) || failure.Code != job.ConfigContext {
		t.Errorf("fit refuse: %v, want %s", err, job.ConfigContext)
	}
	request.Answer.Fit, request.Out = job.FitTrim, request.Out+".trimmed"
	if err := r.ask(t, request)()[0]; err != nil {
		t.Fatal(err)
	}
	if kept := r.reply(t, request.Out).Tokens.VisualKept; kept != length.VisualKept-1 {
		t.Errorf("%d visual tokens kept, want one less than %d", kept, length.VisualKept)
	}
}

func TestRemoteRefuses(t *testing.T) {
	r := newRigOf(t, remoteBundle(t))
	local := newRig(t)
	server := tinyServer(t)
	server.Model = "another"
	for name, test := range map[string]struct {
		rig  *rig
		args []string
		want string
	}{
		"no server":      {r, nil, "--language-url is missing"},
		"a bad URL":      {r, []string{"--language-url", "vllm:8000"}, "want one like http://host:8000"},
		"no key":         {r, []string{"--language-url", "http://h", "--language-key-env", "NO_SUCH"}, "NO_SUCH"},
		"another model":  {r, []string{"--language-url", server.Start(t)}, `does not serve "tiny", but ["another"]`},
		"a decoder":      {local, []string{"--language-url", "http://h"}, "leave the flag out"},
		"none in flight": {r, []string{"--language-url", "http://h", "--language-inflight", "0"}, "--language-inflight 0"},
		"rows of a type": {r, []string{"--language-url", "http://h", "--language-dtype", "I8"}, `"I8"`},
	} {
		p := program(t, append([]string{"--bundle", test.rig.dir, "--state", test.rig.state}, test.args...)...)
		if code := p.wait(t); code != 1 || !strings.Contains(p.output.String(), test.want) {
			t.Errorf("%s: exit code %d, output %q, want %q", name, code, p.output, test.want)
		}
	}
}

// A bundle whose model is shown frames needs no graph and no ONNX Runtime: any
// server of chat completions answers. This one is the test's own.
func TestPictures(t *testing.T) {
	images := make(chan int, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.URL.Path == "/v1/models" {
			_, _ = io.WriteString(w, `{"data":[{"id":"gpt"}]}`)
			return
		}
		body, _ := io.ReadAll(r.Body)
		images <- strings.Count(string(body), "data:image/jpeg;base64,")
		_, _ = io.WriteString(w, `{"choices":[{"finish_reason":"stop","message":{"content":"blue"}}],"usage":{"prompt_tokens":9,"completion_tokens":1}}`)
	}))
	t.Cleanup(server.Close)
	dir := t.TempDir()
	writeJSON(t, filepath.Join(dir, bundle.ManifestFile), bundle.Manifest{
		V: bundle.Version, Name: t.Name(), Files: map[string]bundle.File{}, Grid: [2]int{1, 1},
		Image:  bundle.Image{Size: 16, Resize: bundle.Squash},
		Layout: bundle.Joined, Newline: bundle.NewlineNone, Frames: bundle.Frames{Default: 2}, Images: bundle.ImageIsFrame,
		Template: bundle.Template{Prompt: "{frames}{question}{options}", Options: "{list}", Option: "{letter}. {text}"},
		Language: &bundle.Language{Remote: true, Model: "gpt", Input: bundle.InputFrames},
	})
	r := newRigOf(t, dir)
	r.serve(t, "--language-url", server.URL, "--onnxruntime", "nowhere.so")
	request := r.question(t, "pictures", 0.5)
	request.Answer.Clip = r.clip(t, "clip", 2).Encode.Clip
	if err := r.ask(t, request)()[0]; err != nil {
		t.Fatal(err)
	}
	if n := <-images; n != 2 {
		t.Errorf("%d images, want 2", n)
	}
	if reply := r.reply(t, request.Out); reply.Answer.Letter != "B" || reply.Engine != "chat completions, frames gpt" {
		t.Errorf("reply %+v", reply)
	}
}
