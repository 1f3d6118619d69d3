package onnx_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/winnow-video/winnow/infer"
	"github.com/winnow-video/winnow/infer/bundle"
	"github.com/winnow-video/winnow/infer/tensor"
	"github.com/winnow-video/winnow/prune"
	"github.com/winnow-video/winnow/workflows/job"
)

// Tolerances of logits and embeddings, as shares of the largest. An int8 bundle
// rounds what it multiplies by to 255 levels: another order of sums, or another
// processor's, puts a value between two of them on the other side.
const (
	tolerance     = 1e-3
	int8Tolerance = 0.02
)

// parityCase is one question as transformers answers it, with the rows of T·P that
// ReDiPrune keeps; see deploy/bundle/parity.py, which writes the fixtures.
type parityCase struct {
	Question string
	Options  []string
	Keep     float64
	Query    job.Query
	Kept     []int
	IDs      []int32
}

// family is one fixture, loaded through the code that serves.
type family struct {
	bundle   *bundle.Bundle
	encoder  *infer.Encoder
	language *infer.Decoder
	answerer *infer.Answerer
	decoder  *recorder
	rows     *projected
	golden   *tensor.File
	cases    []parityCase
	logits   float64 // their tolerance
}

// familyFolders are those of the fixtures, one a family.
func familyFolders() []string {
	var folders []string
	for _, name := range []string{"llava", "llava_next_video", "llava_onevision", "video_llava"} {
		folders = append(folders, filepath.Join("testdata", "parity", name))
	}
	return folders
}

func TestFamiliesEqualTransformers(t *testing.T) {
	t.Parallel()
	for _, folder := range familyFolders() {
		t.Run(filepath.Base(folder), func(t *testing.T) {
			t.Parallel()
			f := openFamily(t, folder, "bundle")
			tokens := f.encode(t)
			f.checkPositions(t)
			for i, c := range f.cases {
				t.Run(fmt.Sprintf("keep=%v,query=%s", c.Keep, c.Query), func(t *testing.T) {
					f.check(t, i, tokens, chosenByQuestion)
					f.check(t, i, tokens, chosenForAll) // leaves its prefix
					f.check(t, i, tokens, chosenForAll) // stands behind it
					if f.decoder.steps[0].past == 0 {
						t.Error("the prefix was read again")
					}
				})
			}
		})
	}
}

// f32 holds the same weights, in files beside its graphs. int8 holds others, and
// answers what transformers does with those.
func TestPrecisions(t *testing.T) {
	t.Parallel()
	folder := filepath.Join("testdata", "parity", "llava_next_video")
	t.Run("f32", func(t *testing.T) {
		t.Parallel()
		f := openFamily(t, folder, "bundle-f32")
		f.check(t, 1, f.encode(t), chosenByQuestion)
	})
	t.Run("int8", func(t *testing.T) {
		t.Parallel()
		f := openFamily(t, folder, "bundle-int8")
		f.logits = int8Tolerance
		f.expect(t, readTensors(t, filepath.Join(folder, "golden-int8.safetensors")))
		tokens := f.encode(t)
		for i := range f.cases {
			for _, chosen := range []choice{chosenByQuestion, chosenForAll, chosenForAll} {
				f.check(t, i, tokens, chosen)
			}
		}
	})
}

// expect takes other logits and ids for those of a fixture.
func (f *family) expect(t *testing.T, said *tensor.File) {
	t.Helper()
	for i := range f.cases {
		logits := fmt.Sprintf("logits.%d", i)
		tensor.Put(f.golden, logits, get[float32](t, said, logits))
		f.cases[i].IDs = nil
		for _, id := range get[int64](t, said, fmt.Sprintf("ids.%d", i)).Data {
			f.cases[i].IDs = append(f.cases[i].IDs, int32(id))
		}
	}
}

func openFamily(t *testing.T, folder, name string) *family {
	t.Helper()
	engine, err := library()
	if err != nil {
		t.Fatal(err)
	}
	f := &family{golden: readTensors(t, filepath.Join(folder, "golden.safetensors")), decoder: &recorder{}, rows: &projected{}, logits: tolerance}
	text, err := os.ReadFile(filepath.Join(folder, "golden.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &f.cases); err != nil {
		t.Fatal(err)
	}
	if len(f.cases) != 5 {
		t.Fatalf("%d cases, want 5", len(f.cases))
	}
	if f.bundle, err = bundle.Open(context.Background(), filepath.Join(folder, name)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.bundle.Close() })
	if f.encoder, err = infer.NewEncoder(engine, f.bundle); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.encoder.Close() })
	watched := recording{engine, f.decoder, f.rows}
	if f.language, err = infer.NewDecoder(watched, f.bundle, limits); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.language.Close() })
	if f.answerer, err = infer.NewAnswerer(watched, f.bundle, f.language); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.answerer.Close() })
	return f
}

// recording is an engine whose decoder and projector can be looked at.
type recording struct {
	infer.Engine
	decoder *recorder
	rows    *projected
}

func (r recording) Load(path string) (infer.Graph, error) {
	g, err := r.Engine.Load(path)
	switch {
	case err != nil:
		return nil, err
	case filepath.Base(path) == bundle.DecoderFile:
		r.decoder.Graph = g
		return r.decoder, nil
	case filepath.Base(path) == bundle.ProjectorFile:
		r.rows.Graph = g
		return r.rows, nil
	}
	return g, nil
}

// projected is a projector that remembers what it made last, [M,E].
type projected struct {
	infer.Graph
	last []float32
}

func (p *projected) Run(in, out *tensor.File) error {
	if err := p.Graph.Run(in, out); err != nil {
		return err
	}
	rows, err := tensor.Get[float32](out, "rows")
	p.last = slices.Clone(rows.Data)
	return err
}

// recorder is a decoder that remembers what it was given and what it said.
type recorder struct {
	infer.Graph
	mu    sync.Mutex
	steps []step
}

// step is one run of a decoder.
type step struct {
	embeds tensor.Dense[float32] // [B,L,E]
	past   int                   // S
	logits []float32             // [B,V]
}

func (r *recorder) Run(in, out *tensor.File) error {
	if err := r.Graph.Run(in, out); err != nil {
		return err
	}
	embeds, err1 := tensor.Get[float32](in, "inputs_embeds")
	logits, err2 := tensor.Get[float32](out, "logits")
	r.mu.Lock()
	defer r.mu.Unlock()
	r.steps = append(r.steps, step{embeds, in.Tensors["past.0.k"].Shape[2], slices.Clone(logits.Data)})
	return errors.Join(err1, err2)
}

// logits are those behind the prompt's last row, and behind each further one.
func (r *recorder) logits() [][]float32 {
	var all [][]float32
	for _, s := range r.steps {
		all = append(all, s.logits)
	}
	return all
}

// encode encodes the fixture's frames and compares the tower's tokens.
func (f *family) encode(t *testing.T) tensor.Dense[tensor.Float16] {
	t.Helper()
	clip := &tensor.File{}
	tensor.Put(clip, "frames", get[uint8](t, f.golden, "frames"))
	file, err := f.encoder.Encode(clip)
	if err != nil {
		t.Fatal(err)
	}
	got, want := get[tensor.Float16](t, file, "tokens"), get[tensor.Float16](t, f.golden, "tokens")
	if diff := cmp.Diff(want.Shape, got.Shape); diff != "" {
		t.Fatalf("tokens (-want +got):\n%s", diff)
	}
	near(t, "tokens", widen(got), widen(want), tolerance)
	return got
}

func widen(d tensor.Dense[tensor.Float16]) []float32 {
	out := make([]float32, len(d.Data))
	tensor.Widen(out, d.Data)
	return out
}

// check answers one case: query vector, selection, prompt, logits and ids.
func (f *family) check(t *testing.T, i int, tokens tensor.Dense[tensor.Float16], chosen choice) {
	t.Helper()
	c := f.cases[i]
	q := bundle.Question{Text: c.Question, Options: c.Options, Times: make([]float64, tokens.Shape[0])}
	query := f.query(t, c, q)
	near(t, "query vector", query, get[float32](t, f.golden, fmt.Sprintf("query.%d", i)).Data, tolerance)
	selection := f.prune(t, c, f.selectable(t, tokens), query)
	if diff := cmp.Diff(c.Kept, selection.Rows()); diff != "" {
		t.Fatalf("selection (-want +got):\n%s", diff)
	}
	reply := f.answer(t, c, f.keep(t, tokens, selection, chosen))
	if c.Keep == 1 {
		near(t, "projected rows", f.rows.last, get[float32](t, f.golden, "rows").Data, tolerance)
	}
	f.compare(t, i, reply)
}

// checkPositions compares the logits behind every row of the first case's prompt,
// each read as a prompt that ends there.
func (f *family) checkPositions(t *testing.T) {
	t.Helper()
	embeds, want := get[float32](t, f.golden, "embeds.0"), get[float32](t, f.golden, "positions.0")
	if embeds.Rows() != want.Rows() || want.Rows() < 20 {
		t.Fatalf("logits behind %d rows of %d", want.Rows(), embeds.Rows())
	}
	f.decoder.steps = nil
	for n := 1; n <= want.Rows(); n++ {
		part := tensor.Dense[float32]{Shape: tensor.Shape{n, embeds.Shape[1]}, Data: embeds.Data[:n*embeds.Shape[1]]}
		p := &infer.Prompt{Embeds: part, Generate: job.Generation{Mode: job.ModeScore}}
		if said := f.language.Say(t.Context(), []*infer.Prompt{p})[0]; said.Err != nil {
			t.Fatal(said.Err)
		}
	}
	near(t, "logits of the whole prompt", slices.Concat(f.decoder.logits()...), want.Data, tolerance)
}

func (f *family) query(t *testing.T, c parityCase, q bundle.Question) []float32 {
	t.Helper()
	ids, err := f.bundle.QueryIDs(c.Query, q)
	if err != nil {
		t.Fatal(err)
	}
	wide := make([]int, len(ids))
	for i, id := range ids {
		wide[i] = int(id)
	}
	query, err := prune.QueryQuestion(table{f.bundle}, wide)
	if err != nil {
		t.Fatal(err)
	}
	return query
}

// table is a bundle's embeddings as prune reads them.
type table struct{ *bundle.Bundle }

func (e table) Width() int { return e.Dims.Language.Hidden }

func (e table) Row(id int) ([]float32, error) {
	rows, err := e.Embed([]int32{int32(id)})
	return rows.Data, err
}

func (f *family) prune(t *testing.T, c parityCase, tokens tensor.Dense[tensor.Float16], query []float32) *prune.Selection {
	t.Helper()
	clip, err := prune.NewClip(tokens)
	if err != nil {
		t.Fatal(err)
	}
	policy, err := prune.New(prune.Options{Method: "rediprune", Keep: c.Keep, Alpha: 0.5, Scope: prune.ScopeFrame})
	if err != nil {
		t.Fatal(err)
	}
	selection, err := policy.Select(clip, query)
	if err != nil {
		t.Fatal(err)
	}
	return selection
}

// selectable is the tokens that are selected from.
func (f *family) selectable(t *testing.T, tower tensor.Dense[tensor.Float16]) tensor.Dense[tensor.Float16] {
	t.Helper()
	if f.bundle.PoolAfter == nil {
		return tower
	}
	pooled, err := f.bundle.PoolAfter.Pool(tower)
	if err != nil {
		t.Fatal(err)
	}
	return pooled
}

// gather is what the projector reads for a selection, as workers has it.
func (f *family) gather(tower tensor.Dense[tensor.Float16], s *prune.Selection) (tensor.Dense[tensor.Float16], *bundle.Mixture, error) {
	if f.bundle.PoolAfter == nil {
		tokens, err := prune.Gather(tower, s)
		return tokens, nil, err
	}
	kept := make([][]bundle.Source, len(s.Kept))
	for i, row := range s.Rows() {
		kept[i] = []bundle.Source{{Row: row, Weight: 1}}
	}
	return f.bundle.PoolAfter.Mix(tower, kept)
}

// choice is whether a kept artifact says that it was chosen by the question: of
// others the prompt's prefix is read apart.
type choice bool

const (
	chosenByQuestion choice = true
	chosenForAll     choice = false
)

// keep is the kept artifact of a selection.
func (f *family) keep(t *testing.T, tower tensor.Dense[tensor.Float16], s *prune.Selection, chosen choice) *tensor.File {
	t.Helper()
	gathered, mixture, err := f.gather(tower, s)
	if err != nil {
		t.Fatal(err)
	}
	frame := tensor.New[int32](len(s.Kept))
	for i, k := range s.Kept {
		frame.Data[i] = int32(k.Frame)
	}
	kept := &tensor.File{Metadata: map[string]string{"T": fmt.Sprint(s.T), "P": fmt.Sprint(s.P)}}
	tensor.Put(kept, "tokens", gathered)
	tensor.Put(kept, "frame", frame)
	tensor.Put(kept, "pts_s", tensor.New[float64](s.T))
	if chosen == chosenByQuestion {
		tensor.Put(kept, "relevance_all", tensor.Dense[float32]{Shape: tensor.Shape{s.T, s.P}, Data: s.Relevance})
	}
	if mixture != nil {
		mixture.Put(kept)
	}
	return kept
}

func (f *family) answer(t *testing.T, c parityCase, kept *tensor.File) job.Reply {
	t.Helper()
	generate := job.Generation{Mode: job.ModeGenerate, MaxTokens: len(c.IDs), TopP: 1}
	q, err := infer.NewQuestion(job.Item{Question: c.Question, Options: c.Options}, generate, job.FitRefuse, kept)
	if err != nil {
		t.Fatal(err)
	}
	f.decoder.steps = nil
	outcome := f.answerer.Answer(t.Context(), []*infer.Question{q})[0]
	if outcome.Failure != nil {
		t.Fatal(outcome.Failure)
	}
	return outcome.Reply
}

func (f *family) compare(t *testing.T, i int, reply job.Reply) {
	t.Helper()
	c := f.cases[i]
	embeds, logits := get[float32](t, f.golden, fmt.Sprintf("embeds.%d", i)), get[float32](t, f.golden, fmt.Sprintf("logits.%d", i))
	first := f.decoder.steps[0]
	near(t, "embeddings", first.embeds.Data, embeds.Data[first.past*embeds.Shape[1]:], tolerance)
	var said []int32
	for step, got := range f.decoder.logits() {
		near(t, fmt.Sprintf("logits of step %d", step), got, logits.Row(step), f.logits)
		said = append(said, int32(slices.Index(got, slices.Max(got))))
	}
	if diff := cmp.Diff(c.IDs, said); diff != "" {
		t.Errorf("ids (-want +got):\n%s", diff)
	}
	text, err := f.bundle.Tokenizer().Decode(c.IDs)
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.TrimSpace(text); len(c.Options) == 0 && reply.Answer.Text != want {
		t.Errorf("answered %q, want %q", reply.Answer.Text, want)
	}
	if reply.Tokens.VisualKept != len(c.Kept) || reply.Tokens.Prompt != embeds.Rows() {
		t.Errorf("tokens %+v, want %d visual ones of %d", reply.Tokens, len(c.Kept), embeds.Rows())
	}
}

// near wants every value within the tolerance of the largest.
func near(t *testing.T, what string, got, want []float32, tolerance float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d values, want %d", what, len(got), len(want))
	}
	largest, off := 0.0, 0.0
	for i := range want {
		largest = math.Max(largest, math.Abs(float64(want[i])))
		off = math.Max(off, math.Abs(float64(got[i])-float64(want[i])))
	}
	if !(off <= tolerance*largest) {
		t.Fatalf("%s: off by %.2g of the largest", what, off/largest)
	}
	t.Logf("%s: off by %.1g of the largest", what, off/largest)
}
