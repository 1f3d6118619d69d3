package bundle

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/winnow-video/winnow/infer/tensor"
	"github.com/winnow-video/winnow/workflows/job"
)

// testWidth is E of test bundles.
const testWidth = 4

// writeBundle writes a bundle around testdata/tokenizer.json, and changes its
// manifest by change. The graphs are not graphs: this package never opens them.
func writeBundle(t testing.TB, change func(*Manifest)) string {
	t.Helper()
	dir := t.TempDir()
	m := testManifest()
	tokenizer := readTestdata(t, TokenizerFile)
	contents := map[string][]byte{
		VisionFile: []byte("vision"), ProjectorFile: []byte("projector"), DecoderFile: []byte("decoder"),
		TokenizerFile: tokenizer, EmbeddingsFile: testEmbeddings(t, 901),
	}
	for name, content := range contents {
		sum := sha256.Sum256(content)
		m.Files[name] = File{SHA256: hex.EncodeToString(sum[:]), Size: int64(len(content))}
		writeFile(t, dir, name, content)
	}
	if change != nil {
		change(&m)
	}
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, dir, ManifestFile, text)
	return dir
}

func writeFile(t testing.TB, dir, name string, content []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func testManifest() Manifest {
	bos := int32(1)
	return Manifest{
		V: Version, Name: "test", Licence: "Apache-2.0", Files: map[string]File{},
		Image: Image{Size: 8, Resize: ShortestCrop, Std: [3]float64{1, 1, 1}},
		Grid:  [2]int{2, 2}, Layout: PerFrame, FramePrefix: " frame {i} at {time_s}:", Newline: NewlineNone,
		Frames: Frames{Default: 2}, Images: ImageIsFrame,
		Template: Template{
			Prompt:  "USER: {n} frames.{frames} {question}{options} ASSISTANT:",
			Options: "{list}\nAnswer with the option's letter.", Option: "\n{letter}. {text}",
		},
		Tokenize: TokenizePerSide, LetterIDs: []int32{37, 38, 39}, AnswerPrefix: new(""), BOS: &bos, EOS: []int32{2},
		RoPE: RoPE{Theta: 1e4, Type: "default", Factor: 1}, Context: 100,
		Dims: Dims{
			Vision:    VisionDims{Tokens: 5, Patch: 48, Layers: 1, Hidden: 8, Intermediate: 16},
			Projector: []int{8, testWidth, testWidth},
			Language:  LanguageDims{Layers: 1, Hidden: testWidth, Intermediate: 8, Heads: 2, KVHeads: 1, HeadDim: 2, Vocab: 901},
		},
	}
}

// testEmbeddings is a table whose row i is i, i+¼, i+½, i+¾.
func testEmbeddings(t testing.TB, rows int) []byte {
	t.Helper()
	table := tensor.New[tensor.Float16](rows, testWidth)
	for i := range table.Data {
		table.Data[i] = tensor.ToFloat16(float32(i) / testWidth)
	}
	file := &tensor.File{}
	tensor.Put(file, embeddingsTensor, table)
	tensor.Put(file, newlineTensor, tensor.Dense[float32]{Shape: tensor.Shape{1, testWidth}, Data: []float32{9, 8, 7, 6}})
	content, err := tensor.Encode(file)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func openBundle(t testing.TB, change func(*Manifest)) *Bundle {
	t.Helper()
	b, err := Open(t.Context(), writeBundle(t, change))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

func TestOpenNamesTheBundle(t *testing.T) {
	t.Parallel()
	b := openBundle(t, nil)
	text, err := os.ReadFile(b.Path(ManifestFile))
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(text)
	if want := hex.EncodeToString(sum[:]); b.Digest() != want || b.Short() != want[:12] {
		t.Errorf("digest %s, short %s, want %s", b.Digest(), b.Short(), want)
	}
	if b.Tokens() != 4 {
		t.Errorf("P = %d, want 4", b.Tokens())
	}
}

func TestEmbedLooksRowsUp(t *testing.T) {
	t.Parallel()
	b := openBundle(t, nil)
	rows, err := b.Embed([]int32{7, 0, 7})
	if err != nil {
		t.Fatal(err)
	}
	want := []float32{7, 7.25, 7.5, 7.75, 0, .25, .5, .75, 7, 7.25, 7.5, 7.75}
	if diff := cmp.Diff(want, rows.Data); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	if _, err := b.Embed([]int32{901}); err == nil || !strings.Contains(err.Error(), "token 901") {
		t.Errorf("embed an id out of range: %v, want an error that names it", err)
	}
}

func TestOpenRefusesAChangedFile(t *testing.T) {
	t.Parallel()
	for _, name := range []string{VisionFile, TokenizerFile, EmbeddingsFile} {
		dir := writeBundle(t, nil)
		writeFile(t, dir, name, []byte("something else"))
		got := sha256.Sum256([]byte("something else"))
		_, err := Open(t.Context(), dir)
		wantBundleFailure(t, err, name, hex.EncodeToString(got[:]), "14 bytes")
	}
}

func TestOpenRefusesAMissingFile(t *testing.T) {
	t.Parallel()
	dir := writeBundle(t, nil)
	if err := os.Remove(filepath.Join(dir, DecoderFile)); err != nil {
		t.Fatal(err)
	}
	_, err := Open(t.Context(), dir)
	wantBundleFailure(t, err, DecoderFile)
	_, err = Open(t.Context(), filepath.Join(dir, "nowhere"))
	wantBundleFailure(t, err, ManifestFile, "export.py")
}

func TestOpenRefusesPartsThatDoNotBelongTogether(t *testing.T) {
	t.Parallel()
	tests := []struct {
		change func(*Manifest)
		want   string
	}{
		{func(m *Manifest) { m.EOS = []int32{5000} }, "5000"},
		{func(m *Manifest) { m.LetterIDs[0] = -1 }, "-1"},
		{func(m *Manifest) { m.LetterIDs[1]-- }, `letter_ids[1] is token 37, "A" in tokenizer.json, but stands for "B"`},
		{func(m *Manifest) { m.AnswerPrefix = nil }, `letter_ids[0]: token 37 is not what " A" appends to the prompt`},
		{func(m *Manifest) { m.AnswerPrefix = new("\n") }, "answer_prefix: want nothing or a space"},
		{func(m *Manifest) { m.Template.Prompt += " " }, `letter_ids[0]: token 37 is not what "A" appends to the prompt`},
		{func(m *Manifest) { m.Template.Prompt = "{frames} {options}{question}" }, "template.prompt: ends with {question}"},
		{func(m *Manifest) { m.Template.Prompt = "{frames} {question}{options}{duration_s}" }, "template.prompt: ends with {duration_s}"},
		{func(m *Manifest) { m.Template.Prompt, m.Template.Options = "{frames}{question}{options}", "{list}" }, "template.option: ends with {text}"},
		{func(m *Manifest) { m.Template.Prompt = "{question}" }, "{frames} exactly once"},
		{func(m *Manifest) { m.Template.Prompt = "{frames}{frames}" }, "{frames} exactly once"},
		{func(m *Manifest) { m.Template.Prompt = "{frames}{answer}" }, "unknown field {answer}"},
		{func(m *Manifest) { m.FramePrefix = "{frame}" }, "frame_prefix: unknown field {frame}"},
		{func(m *Manifest) { m.Dims.Language.Hidden, m.Dims.Projector = 8, []int{8, 8} }, "rows of 4 values"},
	}
	for _, test := range tests {
		_, err := Open(t.Context(), writeBundle(t, test.change))
		wantBundleFailure(t, err, test.want)
	}
}

// putFile puts a file into the bundle in dir, in the place of another, and says so in its manifest.
func putFile(t *testing.T, dir, old, name string, content []byte, change func(*Manifest)) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, ManifestFile))
	if err != nil {
		t.Fatal(err)
	}
	m, err := ReadManifest(text)
	if err != nil {
		t.Fatal(err)
	}
	delete(m.Files, old)
	sum := sha256.Sum256(content)
	m.Files[name] = File{SHA256: hex.EncodeToString(sum[:]), Size: int64(len(content))}
	change(m)
	if text, err = json.Marshal(m); err != nil {
		t.Fatal(err)
	}
	writeFile(t, dir, name, content)
	writeFile(t, dir, ManifestFile, text)
}

func TestOpenRefusesATokenWithoutARow(t *testing.T) {
	t.Parallel()
	for _, rows := range []int{900, 5} {
		dir := writeBundle(t, nil)
		putFile(t, dir, EmbeddingsFile, EmbeddingsFile, testEmbeddings(t, rows), func(*Manifest) {})
		_, err := Open(t.Context(), dir)
		wantBundleFailure(t, err, `tokenizer.json: token 900 "<|end" has no row`, EmbeddingsFile, strconv.Itoa(rows))
	}
	dir := writeBundle(t, nil)
	added := []any{map[string]any{"id": 901, "content": "<new>", "special": true}}
	putFile(t, dir, TokenizerFile, TokenizerFile, edit(t, "added_tokens", added), func(*Manifest) {})
	_, err := Open(t.Context(), dir)
	wantBundleFailure(t, err, `tokenizer.json: token 901 "<new>" has no row`)
}

func TestOpenReadsATokenizerModel(t *testing.T) {
	t.Parallel()
	model := readTestdata(t, filepath.Join("families", ModelFile))
	letters := func(m *Manifest) {
		m.Tokenize, m.LetterIDs = TokenizeWhole, nil
		m.Dims.Language.Vocab = 2600
	}
	dir := writeBundle(t, nil)
	putFile(t, dir, TokenizerFile, ModelFile, model, letters)
	_, err := Open(t.Context(), dir)
	wantBundleFailure(t, err, ModelFile+": token 2599", "901")
	putFile(t, dir, EmbeddingsFile, EmbeddingsFile, testEmbeddings(t, 2600), letters)
	b, err := Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(families()[4].read(t).Encode("circle"), b.Tokenizer().Encode("circle")); diff != "" {
		t.Errorf("ids (-want +got):\n%s", diff)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	putFile(t, dir, "", TokenizerFile, readTestdata(t, TokenizerFile), letters)
	_, err = Open(t.Context(), dir)
	wantBundleFailure(t, err, `files: unexpected "tokenizer.json"`)
}

func TestVerifyStopsWhenCanceled(t *testing.T) {
	t.Parallel()
	dir := writeBundle(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := Verify(ctx, dir); !errors.Is(err, ctx.Err()) {
		t.Errorf("verify under a canceled context: %v", err)
	}
}

// A bundle whose language model is served elsewhere has everything but the decoder.
func TestOpenRemote(t *testing.T) {
	t.Parallel()
	b := openBundle(t, func(m *Manifest) {
		delete(m.Files, DecoderFile)
		m.Language = &Language{Remote: true, Model: "llama", Revision: "1"}
	})
	if !b.Remote() || b.Language.Model != "llama" {
		t.Errorf("language %+v", b.Language)
	}
	_, err := Open(t.Context(), writeBundle(t, func(m *Manifest) { delete(m.Files, DecoderFile) }))
	wantBundleFailure(t, err, DecoderFile)
}

// A bundle whose model is shown frames has no files, and takes no pruning.
func TestOpenPictures(t *testing.T) {
	t.Parallel()
	pictures := func(m *Manifest) {
		*m = Manifest{
			V: Version, Name: "api", Files: map[string]File{}, Image: m.Image, Grid: [2]int{1, 1},
			Layout: PerFrame, FramePrefix: "at {time_s}:", FrameSuffix: ";", Newline: NewlineNone, Frames: m.Frames, Images: ImageIsFrame,
			Template: m.Template, Language: &Language{Remote: true, Model: "gpt", Input: InputFrames},
		}
	}
	b := openBundle(t, pictures)
	if !b.Pictures() || b.Tokens() != 1 || b.Options() != len(Letters) {
		t.Errorf("pictures %v, %d tokens a frame, %d options", b.Pictures(), b.Tokens(), b.Options())
	}
	want := []Part{
		{Text: "USER: 2 frames.at 1.00:"}, {Frame: 0}, {Text: ";at 2.50:"}, {Frame: 1},
		{Text: "; What?\nA. red\nB. blue\nAnswer with the option's letter. ASSISTANT:"},
	}
	got := b.Parts(Question{Text: "What?", Options: []string{"red", "blue"}, Times: []float64{1, 2.5}})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("parts (-want +got):\n%s", diff)
	}
	if err := b.Prunes(job.Prunings{{Method: "none"}}); err != nil {
		t.Error(err)
	}
	if err := b.Prunes(job.Prunings{{Method: "none"}, {Method: "rediprune"}}); err == nil || !strings.Contains(err.Error(), "want none") {
		t.Errorf("rediprune of images: %v", err)
	}
	for name, change := range map[string]func(*Manifest){
		"files":   func(m *Manifest) { m.Files[VisionFile] = File{} },
		"grid":    func(m *Manifest) { m.Grid = [2]int{2, 2} },
		"input":   func(m *Manifest) { m.Language.Input = "audio" },
		"newline": func(m *Manifest) { m.Newline = NewlineFrame },
	} {
		_, err := Open(t.Context(), writeBundle(t, func(m *Manifest) { pictures(m); change(m) }))
		wantBundleFailure(t, err, name)
	}
}

func TestReadManifestIsStrict(t *testing.T) {
	t.Parallel()
	dir := writeBundle(t, nil)
	text, err := os.ReadFile(filepath.Join(dir, ManifestFile))
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct{ old, new, want string }{
		{`"v":1`, `"v":2`, "v is 2"},
		{`"v":1`, `"v":1,"surprise":0`, `"surprise"`},
		{`"name":"test"`, `"name":""`, "name"},
		{`"resize":"shortest_crop"`, `"resize":"stretch"`, "image.resize"},
		{`"grid":[2,2]`, `"grid":[2,0]`, "grid"},
		{`"layout":"per_frame"`, `"layout":"mixed"`, "layout"},
		{`"newline":"none"`, `"newline":"tab"`, "newline"},
		{`"newline":"none"`, `"newline":"row","extra_leading":1`, "newline: row"},
		{`"pool_after":null`, `"pool_after":{"from":9,"src":[[0,1,2,3]],"weight":[[1,0,0,0]]}`, "pool_after"},
		{`"default":2`, `"default":0`, "frames"},
		{`"images":"frame"`, `"images":"no"`, "images"},
		{`"tokenize":"per_side"`, `"tokenize":"words"`, "tokenize"},
		{`"eos":[2]`, `"eos":[]`, "eos"},
		{`"context":100`, `"context":0`, "context"},
		{`"theta":10000`, `"theta":0`, "rope.theta"},
		{`"kv_heads":1`, `"kv_heads":0`, "dims.language"},
		{`"patch":48`, `"patch":0`, "dims.vision"},
		{`"projector":[8,4,4]`, `"projector":[8,4,5]`, "dims.projector"},
		{`"decoder.onnx"`, `"../decoder.onnx"`, "../decoder.onnx"},
		{`"sha256":"`, `"sha256":"zz`, "64 hex digits"},
		{`"size":8,`, `"size":"8",`, "image.size"},
		{`"relevance_trained":false`, `"relevance_trained":false,"language":{"remote":false,"model":"m","revision":"r"}`, "language.remote"},
		{`"relevance_trained":false`, `"relevance_trained":false,"language":{"remote":true,"revision":"r"}`, "language.model"},
		{`"relevance_trained":false`, `"relevance_trained":false,"language":{"remote":true,"model":"m","revision":"r"}`, `unexpected "decoder.onnx"`},
		{`"tokenizer.json":`, `"tokenizer.json.data":`, `unexpected "tokenizer.json.data"`},
	}
	for _, test := range tests {
		changed := bytes.Replace(text, []byte(test.old), []byte(test.new), 1)
		if bytes.Equal(changed, text) {
			t.Fatalf("the manifest has no %s", test.old)
		}
		if _, err := ReadManifest(changed); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want one with %q", test.new, err, test.want)
		}
	}
	if _, err := ReadManifest(append(text, "{}"...)); err == nil {
		t.Error("text after the object was accepted")
	}
}

// wantBundleFailure wants a config/bundle failure with these words.
func wantBundleFailure(t *testing.T, err error, words ...string) {
	t.Helper()
	var failure *job.Failure
	if !errors.As(err, &failure) || failure.Code != job.ConfigBundle {
		t.Errorf("error %v, want a %s failure", err, job.ConfigBundle)
		return
	}
	for _, word := range words {
		if !strings.Contains(failure.Detail, word) {
			t.Errorf("detail %q does not name %q", failure.Detail, word)
		}
	}
}
