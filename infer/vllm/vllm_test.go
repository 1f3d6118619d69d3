package vllm_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/winnow-video/winnow/infer"
	"github.com/winnow-video/winnow/infer/bundle"
	"github.com/winnow-video/winnow/infer/endpoint"
	"github.com/winnow-video/winnow/infer/tensor"
	"github.com/winnow-video/winnow/infer/torchfile"
	"github.com/winnow-video/winnow/infer/vllm"
	"github.com/winnow-video/winnow/infer/vllm/vllmtest"
	"github.com/winnow-video/winnow/workflows/job"
)

const (
	width  = 4
	vocab  = 901
	eos    = 2
	window = 64
)

// remote is a bundle whose language model is served elsewhere.
func remote(t *testing.T) *bundle.Bundle {
	t.Helper()
	dir := t.TempDir()
	tokenizer, err := os.ReadFile(filepath.Join("..", "bundle", "testdata", bundle.TokenizerFile))
	if err != nil {
		t.Fatal(err)
	}
	table := &tensor.File{}
	tensor.Put(table, "embed_tokens", tensor.New[tensor.Float16](vocab, width))
	embeddings, err := tensor.Encode(table)
	if err != nil {
		t.Fatal(err)
	}
	m := manifest()
	for name, content := range map[string][]byte{
		bundle.VisionFile: []byte("vision"), bundle.ProjectorFile: []byte("projector"),
		bundle.TokenizerFile: tokenizer, bundle.EmbeddingsFile: embeddings,
	} {
		sum := sha256.Sum256(content)
		m.Files[name] = bundle.File{SHA256: hex.EncodeToString(sum[:]), Size: int64(len(content))}
		writeFile(t, filepath.Join(dir, name), content)
	}
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, bundle.ManifestFile), text)
	b, err := bundle.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

func manifest() bundle.Manifest {
	return bundle.Manifest{
		V: bundle.Version, Name: "test", Licence: "Apache-2.0", Files: map[string]bundle.File{},
		Image: bundle.Image{Size: 8, Resize: bundle.ShortestCrop, Std: [3]float64{1, 1, 1}},
		Grid:  [2]int{2, 2}, Layout: bundle.Joined, Newline: bundle.NewlineNone,
		Frames: bundle.Frames{Default: 2}, Images: bundle.ImageIsFrame,
		Template: bundle.Template{Prompt: "{frames}{question}{options}", Options: "{list}", Option: "{letter}."},
		Tokenize: bundle.TokenizePerSide, LetterIDs: []int32{37, 38, 39}, AnswerPrefix: new(""), EOS: []int32{eos},
		RoPE: bundle.RoPE{Theta: 1e4, Type: "default", Factor: 1}, Context: window,
		Dims: bundle.Dims{
			Vision:    bundle.VisionDims{Tokens: 5, Patch: 48, Layers: 1, Hidden: 8, Intermediate: 16},
			Projector: []int{8, width},
			Language:  bundle.LanguageDims{Layers: 1, Hidden: width, Intermediate: 8, Heads: 2, KVHeads: 1, HeadDim: 2, Vocab: vocab},
		},
		Language: &bundle.Language{Remote: true, Model: "llama", Revision: "7b2"},
	}
}

func writeFile(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// echo says of a prompt what stands in its first row: so many tokens, of an id,
// and then the end; letter A and B lead, C is less likely than twenty others.
type echo struct{ infer.Language }

func (echo) Say(_ context.Context, prompts []*infer.Prompt) []infer.Said {
	said := make([]infer.Said, len(prompts))
	for i, p := range prompts {
		said[i].Utterance = &infer.Utterance{Letters: distribution()}
		n, id := int(p.Embeds.Data[0]), int32(p.Embeds.Data[1])
		for range min(n, p.Most()) {
			said[i].IDs, said[i].Logprobs = append(said[i].IDs, id), append(said[i].Logprobs, -0.5)
		}
		if n < p.Most() {
			said[i].Logprobs = append(said[i].Logprobs, -0.25)
		}
	}
	return said
}

func distribution() []*float64 {
	all := make([]*float64, vocab)
	for i := range all {
		x := -10 - float64(i)/100
		all[i] = &x
	}
	*all[37], *all[38], *all[39] = -1, -2, -30
	return all
}

func serve(t *testing.T, change func(*vllmtest.Server)) (url string) {
	t.Helper()
	s := &vllmtest.Server{Model: "llama", Language: echo{}, Width: width, Vocab: vocab, Context: window, EOS: eos}
	if change != nil {
		change(s)
	}
	return s.Start(t)
}

func config(url string) vllm.Config {
	return vllm.Config{Config: endpoint.Config{URL: url, Timeout: 5 * time.Second, Patience: 15 * time.Second}}
}

func open(t *testing.T, cfg vllm.Config) *vllm.Model {
	t.Helper()
	m, err := vllm.Open(t.Context(), cfg, remote(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

// prompt is of rows rows; echo says n times id to it.
func prompt(rows, n, id int, g job.Generation) *infer.Prompt {
	embeds := tensor.New[float32](rows, width)
	embeds.Data[0], embeds.Data[1] = float32(n), float32(id)
	return &infer.Prompt{Embeds: embeds, Letters: []int32{37, 38, 39}, Generate: g}
}

var (
	generate = job.Generation{Mode: job.ModeGenerate, MaxTokens: 5, TopP: 1}
	score    = job.Generation{Mode: job.ModeScore, MaxTokens: 5}
)

func TestSay(t *testing.T) {
	t.Parallel()
	for _, dtype := range []tensor.DType{tensor.F16, torchfile.BF16, tensor.F32} {
		cfg := config(serve(t, nil))
		cfg.DType = dtype
		m := open(t, cfg)
		if want := "vllm 0.0.test prompt_embeds llama@7b2"; m.Name() != want {
			t.Errorf("name %q, want %q", m.Name(), want)
		}
		said := m.Say(t.Context(), []*infer.Prompt{prompt(3, 2, 37, generate), prompt(9, 7, 40, generate), prompt(1, 0, 0, generate), prompt(2, 4, 38, score)})
		a, b := -1., -2.
		letters := []*float64{&a, &b, nil}
		want := []infer.Said{
			{Utterance: &infer.Utterance{Letters: letters, IDs: []int32{37, 37}, Logprobs: []float64{-0.5, -0.5, -0.25}}},
			{Utterance: &infer.Utterance{Letters: letters, IDs: []int32{40, 40, 40, 40, 40}, Logprobs: []float64{-0.5, -0.5, -0.5, -0.5, -0.5}}},
			{Utterance: &infer.Utterance{Letters: letters, IDs: []int32{}, Logprobs: []float64{-0.25}}},
			{Utterance: &infer.Utterance{Letters: letters}},
		}
		if diff := cmp.Diff(want, said); diff != "" {
			t.Errorf("%s (-want +got):\n%s", dtype, diff)
		}
	}
}

// A prompt that fails leaves those beside it alone.
func TestFailuresStayAlone(t *testing.T) {
	t.Parallel()
	m := open(t, config(serve(t, nil)))
	bad := prompt(2, 1, 40, generate)
	bad.Embeds.Data[5] = float32(math.NaN())
	said := m.Say(t.Context(), []*infer.Prompt{bad, prompt(window, 1, 40, generate), prompt(2, 1, 40, generate)})
	wantFailure(t, said[0].Err, job.ModelNotFinite, "rows")
	wantFailure(t, said[1].Err, job.ConfigContext, "maximum context length is 64")
	if said[2].Err != nil {
		t.Error(said[2].Err)
	}
}

// A prompt on which the server fails ends, even where nobody else asks: it
// answers a prompt of one token.
func TestFailsOnOnePrompt(t *testing.T) {
	t.Parallel()
	var shortest atomic.Int64
	m := open(t, config(serve(t, func(s *vllmtest.Server) {
		s.Before = func(w http.ResponseWriter, r *http.Request) bool {
			shortest.CompareAndSwap(0, r.ContentLength) // Open's own
			if r.ContentLength == shortest.Load() {
				return false
			}
			_, _ = io.Copy(io.Discard, r.Body)
			w.WriteHeader(http.StatusInternalServerError)
			fmt.Fprint(w, "cannot say NaN")
			return true
		}
	})))
	said := m.Say(t.Context(), []*infer.Prompt{prompt(9, 1, 40, generate)})[0]
	wantFailure(t, said.Err, job.ModelError, "cannot say NaN")
}

func wantFailure(t *testing.T, err error, code job.Code, says string) {
	t.Helper()
	var f *job.Failure
	if !errors.As(err, &f) || f.Code != code || !strings.Contains(f.Detail, says) {
		t.Errorf("%v, want %s with %q", err, code, says)
	}
}

// good is an answer of one token to a prompt of two rows.
const good = `{"choices":[{"finish_reason":"stop","logprobs":{"tokens":["token_id:40","token_id:2"],"token_logprobs":[-0.5,-0.25],
"top_logprobs":[{"token_id:37":-1,"token_id:40":-0.5},{"token_id:2":-0.25}]}}],"usage":{"prompt_tokens":2,"completion_tokens":2}}`

// What is not exactly an answer to what was asked is refused: nothing of it becomes a reply.
func TestBadAnswers(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		old, new string
		code     job.Code
		says     string
	}{
		"garbage":               {good, "?\x00", job.ModelContract, "cannot be read"},
		"half":                  {good, good[:100], job.ModelContract, "cannot be read"},
		"empty object":          {good, "{}", job.ModelContract, "0 choices"},
		"two choices":           {`"choices":[`, `"choices":[{},`, job.ModelContract, "2 choices"},
		"no logprobs":           {`"logprobs"`, `"other"`, job.ModelContract, "no logprobs"},
		"no tokens":             {`["token_id:40","token_id:2"]`, `[]`, job.ModelContract, "0 tokens"},
		"too many tokens":       {`"tokens":[`, `"tokens":["token_id:1","token_id:1","token_id:1","token_id:1",`, job.ModelContract, "6 tokens"},
		"too few logprobs":      {`[-0.5,-0.25]`, `[-0.5]`, job.ModelContract, "1 logprobs"},
		"NaN":                   {`[-0.5,`, `[NaN,`, job.ModelNotFinite, "NaN"},
		"null":                  {`[-0.5,`, `[null,`, job.ModelContract, "no log-probability"},
		"null for a letter":     {`"token_id:37":-1`, `"token_id:37":null`, job.ModelContract, "letter A"},
		"a positive one":        {`[-0.5,`, `[0.5,`, job.ModelContract, "log-probability of 0.5"},
		"tokens as texts":       {`"token_id:40"`, `"red"`, job.ModelContract, `"red"`},
		"beyond the vocabulary": {`"token_id:40"`, `"token_id:901"`, job.ModelContract, "below 901"},
		"another prompt's":      {`"prompt_tokens":2`, `"prompt_tokens":3`, job.ModelContract, "usage counts 3"},
		"another count":         {`"completion_tokens":2`, `"completion_tokens":1`, job.ModelContract, "usage counts 2 and 1"},
		"aborted":               {`"stop"`, `"abort"`, job.ModelContract, `"abort"`},
		"ended, but cut":        {`"stop"`, `"length"`, job.ModelContract, `"length"`},
		"an unknown end":        {`"token_id:2"`, `"token_id:3"`, job.ModelContract, "no end token of the bundle"},
		"an end in the middle":  {`"token_id:40"`, `"token_id:2"`, job.ModelContract, "end token at 0 of 2"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := strings.Replace(good, test.old, test.new, 1)
			if text == good {
				t.Fatalf("a good answer has no %s", test.old)
			}
			said := answered(t, text)
			if said.Utterance != nil {
				t.Errorf("it says %+v", said.Utterance)
			}
			wantFailure(t, said.Err, test.code, test.says)
		})
	}
	if said := answered(t, good); said.Err != nil || !cmp.Equal(said.IDs, []int32{40}) {
		t.Errorf("the good answer: %+v", said)
	}
}

// answered is what comes of a server's answer.
func answered(t *testing.T, text string) infer.Said {
	t.Helper()
	started := false
	m := open(t, config(serve(t, func(s *vllmtest.Server) {
		s.Before = func(w http.ResponseWriter, r *http.Request) bool {
			if !started { // Open's own
				started = true
				return false
			}
			_, _ = io.Copy(io.Discard, r.Body)
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, text)
			return true
		}
	})))
	return m.Say(t.Context(), []*infer.Prompt{prompt(2, 1, 40, generate)})[0]
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		server func(*vllmtest.Server)
		config func(*vllm.Config)
		says   string
	}{
		"another model":   {func(s *vllmtest.Server) { s.Model = "qwen" }, nil, `does not serve "llama", but ["qwen"]`},
		"a short context": {func(s *vllmtest.Server) { s.Context = 63 }, nil, "--max-model-len 64"},
		"another width":   {func(s *vllmtest.Server) { s.Width = 5 }, nil, "--enable-prompt-embeds"},
		"no key":          {func(s *vllmtest.Server) { s.Key = "k" }, nil, "refuses the key"},
		"another type":    {nil, func(c *vllm.Config) { c.DType = tensor.I64 }, `"I64"`},
		"no URL":          {nil, func(c *vllm.Config) { c.URL = "" }, "URL is missing"},
		"nobody there":    {nil, func(c *vllm.Config) { c.URL, c.Patience = "http://127.0.0.1:1", time.Second }, "did not answer in 1s"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := config(serve(t, test.server))
			if test.config != nil {
				test.config(&cfg)
			}
			if _, err := vllm.Open(t.Context(), cfg, remote(t)); err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("%v, want an error with %q", err, test.says)
			}
		})
	}
}

func TestKey(t *testing.T) {
	t.Parallel()
	cfg := config(serve(t, func(s *vllmtest.Server) { s.Key = "sk-secret" }))
	cfg.Key = "sk-secret"
	if name := open(t, cfg).Name(); strings.Contains(name, "secret") {
		t.Errorf("records would hold the key: %q", name)
	}
}
