package onnx_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/winnow-video/winnow/infer"
	"github.com/winnow-video/winnow/infer/bundle"
	"github.com/winnow-video/winnow/infer/tensor"
	"github.com/winnow-video/winnow/workflows/job"
)

// BenchmarkQuestions answers 1, 3 and 10 questions about a clip that was not seen
// before, with the demo bundle, one thread: all tokens, as prompts of their own
// and on a prefix that they share, and 22 of 144 a frame, kept for each question.
// cpu-ms/question is what it takes of a core, whatever else the machine does.
//
//	go test ./infer/onnx -run - -bench Questions
func BenchmarkQuestions(b *testing.B) {
	s := openStall(b)
	for _, mode := range []job.Mode{job.ModeScore, job.ModeGenerate} {
		for _, n := range []int{1, 3, 10} {
			for _, k := range []struct {
				name   string
				each   int // tokens kept of a frame
				chosen choice
			}{
				{"all-apart", 143, chosenByQuestion}, // of all, any prompts begin alike
				{"all-shared", 144, chosenForAll},
				{"22-apart", 22, chosenByQuestion},
				{"22-shared", 22, chosenForAll},
			} {
				b.Run(fmt.Sprintf("mode=%s/questions=%d/keep=%s", mode, n, k.name), func(b *testing.B) {
					s.measure(b, n, mode, func(clip int) *tensor.File { return s.keep(clip, k.each, k.chosen) })
				})
			}
		}
	}
}

// stall is the demo bundle, with questions to ask.
type stall struct {
	bundle   *bundle.Bundle
	answerer *infer.Answerer
	items    []job.Item
	clips    int // seen so far
}

func openStall(b *testing.B) *stall {
	b.Helper()
	engine, err := library()
	if err != nil {
		b.Fatal(err)
	}
	s := &stall{items: demoItems(b)}
	if s.bundle, err = bundle.Open(b.Context(), filepath.Join("..", "..", "deploy", "bundle", "demo")); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.bundle.Close() })
	decoder, err := infer.NewDecoder(engine, s.bundle, infer.Limits{Rows: 8192, KV: 1 << 30})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { decoder.Close() })
	if s.answerer, err = infer.NewAnswerer(engine, s.bundle, decoder); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.answerer.Close() })
	return s
}

// demoItems are the demo's questions that have options.
func demoItems(b *testing.B) []job.Item {
	b.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "deploy", "bundle", "demo-clips", "manifest.jsonl"))
	if err != nil {
		b.Fatal(err)
	}
	var items []job.Item
	for line := range strings.Lines(string(text)) {
		var item struct {
			Question string
			Options  []string
		}
		if err := json.Unmarshal([]byte(line), &item); err != nil {
			b.Fatal(err)
		}
		if len(item.Options) > 0 {
			items = append(items, job.Item{Question: item.Question, Options: item.Options})
		}
	}
	return items
}

// keep is a kept artifact of a clip that no other number has.
func (s *stall) keep(clip, each int, chosen choice) *tensor.File {
	const frames = 8
	tokens := tensor.New[tensor.Float16](frames*each, s.bundle.Dims.Vision.Hidden)
	frame := tensor.New[int32](frames * each)
	random := rand.New(rand.NewPCG(uint64(clip), 0))
	for i := range tokens.Data {
		tokens.Data[i] = tensor.ToFloat16(2*random.Float32() - 1)
	}
	for i := range frame.Data {
		frame.Data[i] = int32(i / each)
	}
	f := &tensor.File{Metadata: map[string]string{"T": fmt.Sprint(frames), "P": fmt.Sprint(s.bundle.Tokens())}}
	tensor.Put(f, "tokens", tokens)
	tensor.Put(f, "frame", frame)
	tensor.Put(f, "pts_s", tensor.New[float64](frames))
	if chosen == chosenByQuestion {
		tensor.Put(f, "relevance_all", tensor.New[float32](frames, s.bundle.Tokens()))
	}
	return f
}

// measure asks n questions at a time about a new clip each time.
func (s *stall) measure(b *testing.B, n int, mode job.Mode, keep func(clip int) *tensor.File) {
	b.Helper()
	first, began := s.clips, cpuMS(b)
	for b.Loop() {
		kept := keep(s.clips)
		s.clips++
		var questions []*infer.Question
		for _, item := range s.items[:n] {
			q, err := infer.NewQuestion(item, job.Generation{Mode: mode, MaxTokens: 16, TopP: 1}, job.FitRefuse, kept)
			if err != nil {
				b.Fatal(err)
			}
			questions = append(questions, q)
		}
		for _, o := range s.answerer.Answer(b.Context(), questions) {
			if o.Failure != nil {
				b.Fatal(o.Failure)
			}
		}
	}
	b.ReportMetric((cpuMS(b)-began)/float64((s.clips-first)*n), "cpu-ms/question")
}

// cpuMS is the processor time that this process has spent.
func cpuMS(b *testing.B) float64 {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e6
}
