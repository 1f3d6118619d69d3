package onnx_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/winnow-video/winnow/infer"
	"github.com/winnow-video/winnow/infer/bundle"
	"github.com/winnow-video/winnow/infer/onnx"
	"github.com/winnow-video/winnow/infer/tensor"
	"github.com/winnow-video/winnow/workflows/job"
)

// The bundle and the golden answers are testdata/tiny.py's.
var limits = infer.Limits{Rows: 4096, KV: 64 << 20}

// opened is what all tests of the process share: it has one ONNX Runtime.
type opened struct {
	bundle   *bundle.Bundle
	encoder  *infer.Encoder
	answerer *infer.Answerer
}

var library = sync.OnceValues(func() (*onnx.Engine, error) { return onnx.Open(onnx.Config{Threads: 1}) })

var open = sync.OnceValues(func() (*opened, error) {
	engine, err := library()
	if err != nil {
		return nil, err
	}
	return load(engine)
})

func load(engine infer.Engine) (o *opened, err error) {
	o = &opened{}
	if o.bundle, err = bundle.Open(context.Background(), filepath.Join("testdata", "tiny")); err != nil {
		return nil, err
	}
	if o.encoder, err = infer.NewEncoder(engine, o.bundle); err != nil {
		return nil, err
	}
	decoder, err := infer.NewDecoder(engine, o.bundle, limits)
	if err != nil {
		return nil, err
	}
	o.answerer, err = infer.NewAnswerer(engine, o.bundle, decoder)
	return o, err
}

func tiny(t *testing.T) *opened {
	t.Helper()
	o, err := open()
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// golden is one question as the Hugging Face model answers it.
type golden struct {
	Question       string
	Options        []string
	Kept           [][]int // cells of each frame
	Prompt         int     // L
	IDs            []int32
	Logprobs       []float64 // of IDs
	OptionLogprobs []float64 `json:"option_logprobs"`
}

func goldens(t *testing.T) []golden {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "golden.json"))
	if err != nil {
		t.Fatal(err)
	}
	var all []golden
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// goldenFile holds frames U8 [T,H,W,3] and the tower's tokens F16 [T,P,D] of them.
func goldenFile(t *testing.T) *tensor.File {
	t.Helper()
	return readTensors(t, filepath.Join("testdata", "golden.safetensors"))
}

func readTensors(t *testing.T, path string) *tensor.File {
	t.Helper()
	body, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := tensor.Decode(body)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func get[T tensor.Element](t *testing.T, f *tensor.File, name string) tensor.Dense[T] {
	t.Helper()
	d, err := tensor.Get[T](f, name)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestEncodeEqualsTransformers(t *testing.T) {
	t.Parallel()
	file := goldenFile(t)
	got := get[tensor.Float16](t, encode(t, get[uint8](t, file, "frames")), "tokens")
	want := get[tensor.Float16](t, file, "tokens")
	if diff := cmp.Diff(want.Shape, got.Shape); diff != "" {
		t.Fatalf("shape (-want +got):\n%s", diff)
	}
	for i, w := range want.Data {
		// Both are rounded to f16, so a sum on the edge may fall to either side.
		if w, g := float64(w.Float32()), float64(got.Data[i].Float32()); math.Abs(w-g) > 1e-3*math.Max(1, math.Abs(w)) {
			t.Fatalf("value %d is %v, want %v", i, g, w)
		}
	}
}

// encode encodes frames [T,H,W,3].
func encode(t *testing.T, frames tensor.Dense[uint8]) *tensor.File {
	t.Helper()
	clip := &tensor.File{Metadata: map[string]string{"duration_s": "1.5"}}
	n := frames.Rows()
	tensor.Put(clip, "frames", frames)
	tensor.Put(clip, "index", tensor.New[int64](n))
	tensor.Put(clip, "pts_s", tensor.New[float64](n))
	tokens, err := tiny(t).encoder.Encode(clip)
	if err != nil {
		t.Fatal(err)
	}
	return tokens
}

// Whatever the number of frames, and so of batches and of padding, each frame
// has the tokens it has alone.
func TestEncodeKeepsFramesApart(t *testing.T) {
	t.Parallel()
	three := get[uint8](t, goldenFile(t), "frames")
	want := get[tensor.Float16](t, encode(t, three), "tokens")
	for _, n := range []int{1, 2, 4, 7, 8, 9, 17} {
		rows := make([]int, n)
		for i := range rows {
			rows[i] = i % 3
		}
		frames, err := tensor.Gather(three, rows)
		if err != nil {
			t.Fatal(err)
		}
		got := get[tensor.Float16](t, encode(t, frames), "tokens")
		for i, row := range rows {
			if !slices.Equal(got.Row(i), want.Row(row)) {
				t.Errorf("of %d frames, number %d has other tokens than in a clip of three", n, i)
			}
		}
	}
}

func TestEncodeKeepsTimesAndMetadata(t *testing.T) {
	t.Parallel()
	tokens := encode(t, tensor.New[uint8](2, 16, 16, 3))
	if diff := cmp.Diff(map[string]string{"duration_s": "1.5"}, tokens.Metadata); diff != "" {
		t.Errorf("metadata (-want +got):\n%s", diff)
	}
	if n := get[int64](t, tokens, "index").Rows(); n != 2 {
		t.Errorf("%d frame indices, want 2", n)
	}
	if n := get[float64](t, tokens, "pts_s").Rows(); n != 2 {
		t.Errorf("%d times, want 2", n)
	}
}

func TestEncodeRefuses(t *testing.T) {
	t.Parallel()
	for name, shape := range map[string][]int{
		"another size": {1, 8, 8, 3}, "no frames": {0, 16, 16, 3}, "grey": {1, 16, 16, 1}, "one picture": {16, 16, 3},
	} {
		clip := &tensor.File{}
		tensor.Put(clip, "frames", tensor.New[uint8](shape...))
		_, err := tiny(t).encoder.Encode(clip)
		if code := codeOf(err); code != job.ModelContract {
			t.Errorf("%s: %v, want %s", name, err, job.ModelContract)
		}
	}
}

func codeOf(err error) job.Code {
	if err == nil {
		return ""
	}
	return job.AsFailure(job.StageRecord, err).Code
}

// question is what the queue would bring for a golden one.
func question(t *testing.T, g golden, generate job.Generation, fit job.Fit) *infer.Question {
	t.Helper()
	all := get[tensor.Float16](t, goldenFile(t), "tokens")
	p := all.Shape[1]
	flat := tensor.Dense[tensor.Float16]{Shape: tensor.Shape{all.Shape[0] * p, all.Shape[2]}, Data: all.Data}
	var rows []int
	var frame, cell []int32
	for f, cells := range g.Kept {
		for _, c := range cells {
			rows, frame, cell = append(rows, f*p+c), append(frame, int32(f)), append(cell, int32(c))
		}
	}
	tokens, err := tensor.Gather(flat, rows)
	if err != nil {
		t.Fatal(err)
	}
	kept := &tensor.File{Metadata: map[string]string{"T": fmt.Sprint(len(g.Kept)), "P": fmt.Sprint(p), "duration_s": "1.5"}}
	tensor.Put(kept, "tokens", tokens)
	tensor.Put(kept, "frame", tensor.Dense[int32]{Shape: tensor.Shape{len(frame)}, Data: frame})
	tensor.Put(kept, "cell", tensor.Dense[int32]{Shape: tensor.Shape{len(cell)}, Data: cell})
	tensor.Put(kept, "pts_s", tensor.New[float64](len(g.Kept)))
	q, err := infer.NewQuestion(job.Item{Question: g.Question, Options: g.Options, Line: 7}, generate, fit, kept)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

var greedy = job.Generation{Mode: job.ModeGenerate, MaxTokens: 8, TopP: 1}

func TestGenerateEqualsTransformers(t *testing.T) {
	t.Parallel()
	all := goldens(t)
	for _, together := range []bool{false, true} {
		t.Run(fmt.Sprintf("together=%v", together), func(t *testing.T) {
			t.Parallel()
			for i, o := range answers(t, all, greedy, together) {
				if o.Failure != nil {
					t.Fatal(o.Failure)
				}
				checkGenerated(t, all[i], o.Reply)
			}
		})
	}
}

// answers answers all questions, one by one or in a padded batch.
func answers(t *testing.T, all []golden, generate job.Generation, together bool) []infer.Outcome {
	t.Helper()
	var questions []*infer.Question
	var outcomes []infer.Outcome
	for _, g := range all {
		q := question(t, g, generate, job.FitRefuse)
		questions = append(questions, q)
		if !together {
			outcomes = append(outcomes, tiny(t).answerer.Answer(t.Context(), []*infer.Question{q})...)
		}
	}
	if together {
		outcomes = tiny(t).answerer.Answer(t.Context(), questions)
	}
	return outcomes
}

func checkGenerated(t *testing.T, g golden, r job.Reply) {
	t.Helper()
	text, err := tiny(t).bundle.Tokenizer().Decode(g.IDs)
	if err != nil {
		t.Fatal(err)
	}
	if text = strings.TrimSpace(text); r.Answer.Text != text {
		t.Errorf("%q: answered %q, want %q", g.Question, r.Answer.Text, text)
	}
	visual := 0
	for _, cells := range g.Kept {
		visual += len(cells)
	}
	want := job.Tokens{VisualTotal: 12, VisualKept: visual, Prompt: g.Prompt, Completion: len(g.IDs)}
	if diff := cmp.Diff(want, r.Tokens); diff != "" {
		t.Errorf("%q: tokens (-want +got):\n%s", g.Question, diff)
	}
	checkScores(t, g, r)
	if len(g.Options) == 0 {
		mean := 0.0
		for _, x := range g.Logprobs {
			mean += x / float64(len(g.Logprobs))
		}
		if r.Confidence == nil || math.Abs(*r.Confidence-math.Exp(mean)) > 1e-4 {
			t.Errorf("%q: confidence %v, want %v", g.Question, r.Confidence, math.Exp(mean))
		}
	}
	if !(0 < r.FLOPs.Spent && r.FLOPs.Spent <= r.FLOPs.Full) {
		t.Errorf("%q: FLOPs %+v", g.Question, r.FLOPs)
	}
}

func checkScores(t *testing.T, g golden, r job.Reply) {
	t.Helper()
	var got []float64
	for _, x := range r.OptionLogprobs {
		got = append(got, *x)
	}
	if diff := cmp.Diff(g.OptionLogprobs, got, cmpopts.EquateApprox(0, 1e-4), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("%q: log-probabilities of the options (-want +got):\n%s", g.Question, diff)
	}
}

func TestScore(t *testing.T) {
	t.Parallel()
	var all []golden
	for _, g := range goldens(t) {
		if len(g.Options) > 0 {
			all = append(all, g)
		}
	}
	for i, o := range answers(t, all, job.Generation{Mode: job.ModeScore, MaxTokens: 8}, true) {
		if o.Failure != nil {
			t.Fatal(o.Failure)
		}
		g := all[i]
		best := slices.Index(g.OptionLogprobs, slices.Max(g.OptionLogprobs))
		want := job.Answer{Text: job.Letter(best), OptionIndex: &best, Letter: job.Letter(best), Parse: job.ParseScore}
		if diff := cmp.Diff(want, o.Reply.Answer); diff != "" {
			t.Errorf("%q (-want +got):\n%s", g.Question, diff)
		}
		checkScores(t, g, o.Reply)
		if c, want := *o.Reply.Confidence, math.Exp(g.OptionLogprobs[best]); math.Abs(c-want) > 1e-4 {
			t.Errorf("%q: confidence %v, want %v", g.Question, c, want)
		}
		if n := o.Reply.Tokens.Completion; n != 0 {
			t.Errorf("%q: %d tokens generated, want none", g.Question, n)
		}
	}
}

func TestScoreWantsOptions(t *testing.T) {
	t.Parallel()
	q := question(t, golden{Question: "What?", Kept: [][]int{{0}}}, job.Generation{Mode: job.ModeScore}, job.FitRefuse)
	o := tiny(t).answerer.Answer(t.Context(), []*infer.Question{q})[0]
	if o.Failure == nil || o.Failure.Code != job.ConfigInvalid || !strings.Contains(o.Failure.Detail, "line 7") {
		t.Errorf("%v, want %s that names line 7", o.Failure, job.ConfigInvalid)
	}
}

func TestSamplingFollowsItsSeed(t *testing.T) {
	t.Parallel()
	said := func(seed uint64) string {
		g := job.Generation{Mode: job.ModeGenerate, MaxTokens: 8, Temperature: 2, TopP: 0.9, Seed: seed}
		return answers(t, goldens(t)[:1], g, true)[0].Reply.Answer.Text
	}
	if a, b := said(1), said(1); a != b {
		t.Errorf("the same seed says %q and %q", a, b)
	}
	if a, b, c := said(1), said(2), said(3); a == b && b == c {
		t.Errorf("three seeds say %q alike", a)
	}
}

// The context is 96 tokens, and the question's text alone takes about 50.
func TestContext(t *testing.T) {
	t.Parallel()
	long := golden{Question: strings.Repeat("How many? ", 16), Kept: [][]int{{0, 1, 2, 3}, {0, 1, 2, 3}, {0, 1, 2, 3}}}
	generate := greedy
	fits := tiny(t).answerer.Answer(t.Context(), []*infer.Question{question(t, long, generate, job.FitRefuse)})[0]
	if fits.Failure != nil {
		t.Fatal(fits.Failure)
	}
	free := tiny(t).bundle.Context - fits.Reply.Tokens.Prompt
	generate.MaxTokens = free + 4 // four rows too many
	refused := tiny(t).answerer.Answer(t.Context(), []*infer.Question{question(t, long, generate, job.FitRefuse)})[0]
	if refused.Failure == nil || refused.Failure.Code != job.ConfigContext {
		t.Errorf("fit refuse: %v, want %s", refused.Failure, job.ConfigContext)
	}
	trimmed := tiny(t).answerer.Answer(t.Context(), []*infer.Question{question(t, long, generate, job.FitTrim)})[0]
	if trimmed.Failure != nil {
		t.Fatal(trimmed.Failure)
	}
	if diff := cmp.Diff([]string{job.DegradedTrimmed}, trimmed.Reply.Degraded); diff != "" {
		t.Errorf("degraded (-want +got):\n%s", diff)
	}
	if n := trimmed.Reply.Tokens.VisualKept; n != 8 {
		t.Errorf("%d visual tokens kept, want 8", n)
	}
	if diff := cmp.Diff([]int{3, 3, 2}, trimmed.Reply.Trimmed); diff != "" || fits.Reply.Trimmed != nil {
		t.Errorf("rows left of each frame (-want +got):\n%s, and without trimming %v", diff, fits.Reply.Trimmed)
	}
	generate.MaxTokens = tiny(t).bundle.Context
	never := tiny(t).answerer.Answer(t.Context(), []*infer.Question{question(t, long, generate, job.FitTrim)})[0]
	if never.Failure == nil || never.Failure.Code != job.ConfigContext {
		t.Errorf("fit trim without room: %v, want %s", never.Failure, job.ConfigContext)
	}
}

// One question whose tokens are NaN fails; the one beside it does not notice.
func TestNotFiniteStaysAlone(t *testing.T) {
	t.Parallel()
	g := goldens(t)[1]
	bad := &tensor.File{Metadata: map[string]string{"T": "1", "P": "4"}}
	tokens := tensor.New[tensor.Float16](2, 16)
	tokens.Data[3] = 0x7e00 // NaN
	tensor.Put(bad, "tokens", tokens)
	tensor.Put(bad, "frame", tensor.New[int32](2))
	tensor.Put(bad, "pts_s", tensor.New[float64](1))
	poisoned, err := infer.NewQuestion(job.Item{Question: g.Question, Options: g.Options}, greedy, job.FitRefuse, bad)
	if err != nil {
		t.Fatal(err)
	}
	outcomes := tiny(t).answerer.Answer(t.Context(), []*infer.Question{poisoned, question(t, g, greedy, job.FitRefuse)})
	if f := outcomes[0].Failure; f == nil || f.Code != job.ModelNotFinite {
		t.Errorf("NaN among the tokens: %v, want %s", f, job.ModelNotFinite)
	}
	if outcomes[1].Failure != nil {
		t.Fatal(outcomes[1].Failure)
	}
	checkGenerated(t, g, outcomes[1].Reply)
}

func TestLibraryMissing(t *testing.T) {
	t.Parallel()
	_, err := onnx.Open(onnx.Config{Library: filepath.Join(t.TempDir(), "libonnxruntime.so")})
	if err == nil || !strings.Contains(err.Error(), "libonnxruntime.so") {
		t.Errorf("%v, want an error that names the file", err)
	}
}

func TestConfigRefuses(t *testing.T) {
	t.Parallel()
	if _, err := onnx.Open(onnx.Config{Threads: -1}); err == nil || !strings.Contains(err.Error(), "threads") {
		t.Errorf("%v, want an error that names threads", err)
	}
}
