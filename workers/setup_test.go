package workers

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/winnow-video/winnow/infer/bundle"
	"github.com/winnow-video/winnow/infer/tensor"
	"github.com/winnow-video/winnow/workers/source"
	"github.com/winnow-video/winnow/workflows"
	"github.com/winnow-video/winnow/workflows/artifact"
	"github.com/winnow-video/winnow/workflows/artifact/memstore"
	"github.com/winnow-video/winnow/workflows/bus"
	"github.com/winnow-video/winnow/workflows/job"
)

// Dimensions of the test bundle: T frames, P tokens each, D wide; E of its language model.
const (
	testT = 2
	testP = 4
	testD = 8
	testE = 4
)

// writeBundle writes a bundle whose graphs are not graphs: nothing here runs them.
func writeBundle(t testing.TB) (dir, digest string) { return writeBundleNamed(t, "test") }

// writeBundleNamed gives the bundle a digest of its own, and so requests of its own.
func writeBundleNamed(t testing.TB, name string) (dir, digest string) {
	t.Helper()
	dir = t.TempDir()
	tokenizer, err := os.ReadFile("../infer/bundle/testdata/tokenizer.json")
	if err != nil {
		t.Fatal(err)
	}
	m := testManifest()
	m.Name = name
	for name, content := range map[string][]byte{
		bundle.VisionFile: []byte("vision"), bundle.ProjectorFile: []byte("projector"), bundle.DecoderFile: []byte("decoder"),
		bundle.TokenizerFile: tokenizer, bundle.EmbeddingsFile: testEmbeddings(t),
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
	sum := sha256.Sum256(text)
	return dir, hex.EncodeToString(sum[:])
}

func testManifest() bundle.Manifest {
	bos := int32(1)
	return bundle.Manifest{
		V: bundle.Version, Name: "test", Licence: "Apache-2.0", Files: map[string]bundle.File{},
		Image: bundle.Image{Size: 8, Resize: bundle.ShortestCrop, Std: [3]float64{1, 1, 1}},
		Grid:  [2]int{2, 2}, Layout: bundle.PerFrame, FramePrefix: " frame {i}:", Newline: bundle.NewlineNone,
		Frames: bundle.Frames{Default: testT}, Images: bundle.ImageIsFrame,
		Template: bundle.Template{Prompt: "{frames} {question}{options} Answer:", Options: "{list}", Option: "\n{letter}. {text}"},
		Tokenize: bundle.TokenizePerSide, LetterIDs: []int32{37, 38, 39}, AnswerPrefix: new(""), BOS: &bos, EOS: []int32{2},
		RoPE: bundle.RoPE{Theta: 1e4, Type: "default", Factor: 1}, Context: 200,
		Dims: bundle.Dims{
			Vision:    bundle.VisionDims{Tokens: 5, Patch: 48, Layers: 1, Hidden: testD, Intermediate: 16},
			Projector: []int{testD, testE, testE},
			Language:  bundle.LanguageDims{Layers: 1, Hidden: testE, Intermediate: 8, Heads: 2, KVHeads: 1, HeadDim: 2, Vocab: 901},
		},
	}
}

func testEmbeddings(t testing.TB) []byte {
	t.Helper()
	table := tensor.New[tensor.Float16](901, testE)
	for i := range table.Data {
		table.Data[i] = tensor.ToFloat16(float32((i*7)%31) / 31)
	}
	file := &tensor.File{}
	tensor.Put(file, "embed_tokens", table)
	content, err := tensor.Encode(file)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func writeFile(t testing.TB, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// encoded is a tokens artifact [T,P,D] as winnow-infer writes it.
func encoded(t testing.TB) *tensor.File {
	t.Helper()
	f := &tensor.File{Metadata: map[string]string{"duration_s": "4", "degraded": job.DegradedPartialFrames}}
	tokens := tensor.New[tensor.Float16](testT, testP, testD)
	for i := range tokens.Data {
		tokens.Data[i] = tensor.ToFloat16(float32((i*i)%17) - 8)
	}
	tensor.Put(f, "tokens", tokens)
	index, pts := tensor.New[int64](testT), tensor.New[float64](testT)
	copy(index.Data, []int64{0, 99})
	copy(pts.Data, []float64{0, 3.3})
	tensor.Put(f, "index", index)
	tensor.Put(f, "pts_s", pts)
	return f
}

// silent takes events and answers no request.
type silent struct {
	mu     sync.Mutex
	events []job.Event
}

func (s *silent) Await(context.Context, artifact.Store, bus.Request, int, func()) (bus.Made, error) {
	return bus.Made{}, job.Fail(job.StageAnswer, job.ModelError, "no")
}

func (s *silent) Tell(e job.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, e)
}

func (s *silent) Call(context.Context, string) error { return nil }

func (s *silent) Share(context.Context, string) (int, error) { return 0, nil }

// desk is stages on a store in memory, with a job of its own.
type desk struct {
	*stages
	events *silent
	run    workflows.Run
	spec   job.Spec
}

func newDesk(t testing.TB, items []job.Item, pageSize int, change func(*job.Spec)) *desk {
	t.Helper()
	dir, digest := writeBundle(t)
	events := &silent{}
	cfg := Config{Store: memstore.New(), Bus: events, StateDir: t.TempDir(), Name: "tester"}.WithDefaults()
	files, err := newJobFiles(cfg.Store)
	if err != nil {
		t.Fatal(err)
	}
	memo, err := source.OpenMemo(filepath.Join(cfg.StateDir, "sources.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{
		stages: &stages{cfg: cfg, files: files, calls: newCalls(events.Share, 1, unwatched{}), decoderBuild: "test", sources: source.Opener{Local: memo}},
		events: events,
		run:    workflows.Run{V: workflows.Version, Job: "desk-00000000.1", Bundle: digest},
	}
	t.Cleanup(files.close)
	if err := os.MkdirAll(cfg.scratch(), 0o700); err != nil {
		t.Fatal(err)
	}
	d.spec = testSpec(dir, change)
	storeJob(t, cfg.Store, d.run.Job, d.spec, items, pageSize)
	return d
}

func testSpec(bundleDir string, change func(*job.Spec)) job.Spec {
	spec := job.NewSpec()
	spec.Name, spec.Manifest, spec.Bundle = "desk", "manifest.jsonl", bundleDir
	if change != nil {
		change(&spec)
	}
	return spec.WithDefaults()
}

// storeJob stores what submit does before a Job starts; it returns the number of pages.
func storeJob(t testing.TB, store artifact.Store, id string, spec job.Spec, items []job.Item, pageSize int) (pages int) {
	t.Helper()
	text, err := yaml.Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	put(t, store, artifact.JobFile(id, "job.yaml"), text)
	for ; len(items) > 0; pages++ {
		n := min(pageSize, len(items))
		lines, err := job.WriteLines(items[:n])
		if err != nil {
			t.Fatal(err)
		}
		put(t, store, artifact.Page(id, pages), lines)
		items = items[n:]
	}
	return pages
}

func put(t testing.TB, store artifact.Store, key artifact.Key, content []byte) {
	t.Helper()
	if _, err := store.Put(t.Context(), key, bytes.NewReader(content), artifact.FirstWins); err != nil {
		t.Fatal(err)
	}
}

// questions is n items on one video.
func questions(video string, n int) []job.Item {
	items := make([]job.Item, n)
	for i := range items {
		right := 1
		items[i] = job.Item{
			ID: fmt.Sprintf("%s-%d", filepath.Base(video), i), Video: video, Question: fmt.Sprintf("What is number %d?", i),
			Options: []string{"red", "blue"}, Gold: &job.Gold{Option: &right}, Line: i + 1,
		}
	}
	return items
}
