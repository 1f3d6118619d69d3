package onnx_test

import (
	"cmp"
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/winnow-video/winnow/infer"
	"github.com/winnow-video/winnow/infer/bundle"
	"github.com/winnow-video/winnow/infer/onnx"
	"github.com/winnow-video/winnow/infer/tensor"
	"github.com/winnow-video/winnow/workflows/job"
)

// The benchmarks are what bench/bench.py compares with Python's onnxruntime.
// WINNOW_BENCH_BUNDLE names the bundle, WINNOW_BENCH_THREADS the threads; with
// WINNOW_BENCH_SPIN they spin.

// benchEngine opens ONNX Runtime for one benchmark: a process runs one.
func benchEngine(b *testing.B, profile string) (*onnx.Engine, *bundle.Bundle) {
	b.Helper()
	dir := os.Getenv("WINNOW_BENCH_BUNDLE")
	if dir == "" {
		b.Skip("WINNOW_BENCH_BUNDLE names no bundle")
	}
	threads := benchNumber(b, "WINNOW_BENCH_THREADS", 1)
	loaded, err := bundle.Open(b.Context(), dir)
	if err != nil {
		b.Fatal(err)
	}
	engine, err := onnx.Open(onnx.Config{Threads: threads, Profile: profile, Spin: os.Getenv("WINNOW_BENCH_SPIN") != ""})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { engine.Close() })
	return engine, loaded
}

func benchNumber(b *testing.B, variable string, otherwise int) int {
	b.Helper()
	n, err := strconv.Atoi(cmp.Or(os.Getenv(variable), strconv.Itoa(otherwise)))
	if err != nil {
		b.Fatal(err)
	}
	return n
}

// BenchmarkVision encodes a clip of as many frames as the tower reads at a time.
func BenchmarkVision(b *testing.B) {
	engine, loaded := benchEngine(b, "")
	encoder, err := infer.NewEncoder(engine, loaded)
	if err != nil {
		b.Fatal(err)
	}
	defer encoder.Close()
	frames := tensor.New[uint8](8, loaded.Image.Size, loaded.Image.Size, 3)
	rng := rand.New(rand.NewPCG(1, 1))
	for i := range frames.Data {
		frames.Data[i] = uint8(rng.Uint32())
	}
	clip := &tensor.File{}
	tensor.Put(clip, "frames", frames)
	var samples []time.Duration
	for b.Loop() {
		began := time.Now()
		if _, err := encoder.Encode(clip); err != nil {
			b.Fatal(err)
		}
		samples = append(samples, time.Since(began))
	}
	b.ReportMetric(0, "ns/op") // the median says more
	b.ReportMetric(float64(frames.Rows())/middle(samples).Seconds(), "frames/s")
}

// BenchmarkDecoder reads a prompt of WINNOW_BENCH_PROMPT rows, then says
// WINNOW_BENCH_TOKENS tokens to it, whatever they are. A token's time is that
// of those behind the first, which the prompt gives. Outside is the part of it
// that ONNX Runtime's own trace does not count as running the graph: our loop,
// the binding, the cache's way from outputs to inputs, the garbage collector.
// It is measured where WINNOW_BENCH_PROFILE names a folder, and tracing costs time.
func BenchmarkDecoder(b *testing.B) {
	profile := os.Getenv("WINNOW_BENCH_PROFILE")
	engine, loaded := benchEngine(b, profile)
	length, tokens := benchNumber(b, "WINNOW_BENCH_PROMPT", 256), benchNumber(b, "WINNOW_BENCH_TOKENS", 32)
	loaded.EOS = nil // no end before the last
	decoder, err := infer.NewDecoder(engine, loaded, infer.Limits{Rows: length + tokens, KV: 4 << 30})
	if err != nil {
		b.Fatal(err)
	}
	embeds := benchEmbeds(b, loaded, length)
	say := func(n int) time.Duration {
		p := &infer.Prompt{Embeds: embeds, Generate: job.Generation{Mode: job.ModeGenerate, MaxTokens: n, TopP: 1}}
		began := time.Now()
		said := decoder.Say(b.Context(), []*infer.Prompt{p})
		took := time.Since(began)
		if said[0].Err != nil || len(said[0].IDs) != n {
			b.Fatalf("%v, want %d tokens", said[0].Err, n)
		}
		return took
	}
	say(1)
	say(tokens)
	var first, all []time.Duration
	for b.Loop() {
		first, all = append(first, say(1)), append(all, say(tokens))
	}
	if err := decoder.Close(); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(nanoseconds(first), "prefill-ns")
	b.ReportMetric(nanoseconds(each(first, all, tokens-1)), "token-ns")
	if profile != "" {
		firstRuns, allRuns := tracedRuns(b, profile, tokens)
		for i := range first {
			first[i], all[i] = first[i]-firstRuns[i], all[i]-allRuns[i]
		}
		b.ReportMetric(nanoseconds(each(first, all, tokens-1)), "outside-ns")
	}
}

// benchEmbeds is [length,E], the embeddings of ids drawn at random.
func benchEmbeds(b *testing.B, loaded *bundle.Bundle, length int) tensor.Dense[float32] {
	b.Helper()
	rng := rand.New(rand.NewPCG(1, 1))
	ids := make([]int32, length)
	for i := range ids {
		ids[i] = rng.Int32N(int32(loaded.Dims.Language.Vocab))
	}
	embeds, err := loaded.Embed(ids)
	if err != nil {
		b.Fatal(err)
	}
	return embeds
}

// each is what every one of n tokens behind the first took.
func each(first, all []time.Duration, n int) []time.Duration {
	took := make([]time.Duration, len(all))
	for i := range all {
		took[i] = (all[i] - first[i]) / time.Duration(n)
	}
	return took
}

func middle(samples []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(samples))
	return sorted[len(sorted)/2]
}

func nanoseconds(samples []time.Duration) float64 { return float64(middle(samples).Nanoseconds()) }

// tracedRuns reads the decoder's trace: of each pair of answers, of one token
// and of tokens, the time in the graph. The pair that is not counted is left out.
func tracedRuns(b *testing.B, folder string, tokens int) (first, all []time.Duration) {
	b.Helper()
	found, err := filepath.Glob(filepath.Join(folder, "decoder*.json"))
	if err != nil || len(found) != 1 {
		b.Fatalf("%d traces of the decoder in %s, %v", len(found), folder, err)
	}
	text, err := os.ReadFile(found[0])
	if err != nil {
		b.Fatal(err)
	}
	var events []struct {
		Name string
		Dur  int64 // µs
	}
	if err := json.Unmarshal(text, &events); err != nil {
		b.Fatal(err)
	}
	var runs []time.Duration
	for _, e := range events {
		if e.Name == "model_run" {
			runs = append(runs, time.Duration(e.Dur)*time.Microsecond)
		}
	}
	for pair := range slices.Chunk(runs[1+tokens:], 1+tokens) {
		var sum time.Duration
		for _, run := range pair[1:] {
			sum += run
		}
		first, all = append(first, pair[0]), append(all, sum)
	}
	return first, all
}
