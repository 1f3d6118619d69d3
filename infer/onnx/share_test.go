package onnx_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/winnow-video/winnow/infer"
	"github.com/winnow-video/winnow/infer/tensor"
	"github.com/winnow-video/winnow/workflows/job"
)

// However prompts are read, in a padded batch, on a shared prefix, with room for
// one prefix or two, each is answered as it is when it is read whole and alone.
func TestBatchesAndPrefixesEqualAlone(t *testing.T) {
	t.Parallel()
	for _, folder := range familyFolders() {
		t.Run(filepath.Base(folder), func(t *testing.T) {
			t.Parallel()
			f := openFamily(t, folder, "bundle")
			whole, shared := f.prompts(t)
			d := f.open(t, limits)
			f.stopEarly(t, d, whole)
			want := sayAlone(t, d, whole)
			wantLengths(t, whole, want)
			tight := infer.Limits{Rows: 48, KV: 3 * f.bundle.Dims.Language.KVBytes(120, 4)}
			left := f.open(t, limits)
			equalSaid(t, left.Say(t.Context(), shared[:2]), want[:2]) // one of each prefix, padded
			for name, got := range map[string][]infer.Said{
				"a batch":                     d.Say(t.Context(), whole),
				"a batch on prefixes":         f.open(t, limits).Say(t.Context(), shared),
				"one by one, on prefixes":     sayAlone(t, f.open(t, limits), shared),
				"on prefixes left by a batch": left.Say(t.Context(), shared),
				"little room":                 f.open(t, tight).Say(t.Context(), shared),
				"whole and on prefixes":       f.open(t, limits).Say(t.Context(), slices.Concat(shared[:3], whole[3:])),
			} {
				t.Run(name, func(t *testing.T) { equalSaid(t, got, want) })
			}
		})
	}
}

// prompts are ones of different lengths and generation, twice: to be read whole,
// and marked as beginning alike, the odd ones otherwise than the even ones. Their
// rows are the fixture's.
func (f *family) prompts(t *testing.T) (whole, shared []*infer.Prompt) {
	t.Helper()
	letters := make([]int32, f.bundle.Dims.Language.Vocab)
	for i := range letters {
		letters[i] = int32(i)
	}
	var begins []tensor.Dense[float32]
	for i, rows := range []int{44, 31} {
		begins = append(begins, head(get[float32](t, f.golden, fmt.Sprintf("embeds.%d", 2*i)), rows))
	}
	for i, rows := range []int{5, 23, 11, 17, 1, 8} {
		ends := get[float32](t, f.golden, fmt.Sprintf("embeds.%d", i%4))
		g := job.Generation{Mode: job.ModeGenerate, MaxTokens: 9 - i, TopP: 1}
		if i == 1 {
			g.Mode = job.ModeScore
		}
		begin := begins[i%2]
		p := infer.Prompt{Embeds: join(begin, foot(ends, rows)), Letters: letters, Generate: g}
		prefixed := p
		prefixed.Prefix = begin.Rows()
		whole, shared = append(whole, &p), append(shared, &prefixed)
	}
	return whole, shared
}

func head(d tensor.Dense[float32], n int) tensor.Dense[float32] {
	return tensor.Dense[float32]{Shape: tensor.Shape{n, d.Shape[1]}, Data: d.Data[:n*d.Shape[1]]}
}

func foot(d tensor.Dense[float32], n int) tensor.Dense[float32] {
	return tensor.Dense[float32]{Shape: tensor.Shape{n, d.Shape[1]}, Data: d.Data[len(d.Data)-n*d.Shape[1]:]}
}

func join(a, b tensor.Dense[float32]) tensor.Dense[float32] {
	return tensor.Dense[float32]{Shape: tensor.Shape{a.Rows() + b.Rows(), a.Shape[1]}, Data: slices.Concat(a.Data, b.Data)}
}

// open opens a decoder that holds no prefix yet.
func (f *family) open(t *testing.T, l infer.Limits) *infer.Decoder {
	t.Helper()
	engine, err := library()
	if err != nil {
		t.Fatal(err)
	}
	d, err := infer.NewDecoder(engine, f.bundle, l)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// stopEarly has answers end with something that some of the prompts are answered by, and some are not.
func (f *family) stopEarly(t *testing.T, d *infer.Decoder, prompts []*infer.Prompt) {
	t.Helper()
	said := sayAlone(t, d, prompts)
	for _, s := range said {
		for _, id := range s.IDs {
			lacks := func(s infer.Said) bool { return len(s.IDs) > 0 && !slices.Contains(s.IDs, id) }
			if slices.ContainsFunc(said, lacks) {
				f.bundle.EOS = []int32{id}
				return
			}
		}
	}
	t.Fatal("no id ends one answer and not another")
}

// wantLengths wants answers that end by themselves, others that go on as long as they may, and one that never begins.
func wantLengths(t *testing.T, prompts []*infer.Prompt, said []infer.Said) {
	t.Helper()
	ended, cut := 0, 0
	for i, s := range said {
		if len(s.IDs) < prompts[i].Most() {
			ended++
		} else {
			cut++
		}
	}
	if ended == 0 || cut < 2 || len(said[1].IDs) != 0 {
		t.Fatalf("%d answers end, %d are cut, and one to score has %d tokens: the test shows nothing", ended, cut, len(said[1].IDs))
	}
}

func sayAlone(t *testing.T, d *infer.Decoder, prompts []*infer.Prompt) []infer.Said {
	t.Helper()
	var said []infer.Said
	for _, p := range prompts {
		said = append(said, d.Say(t.Context(), []*infer.Prompt{p})...)
	}
	return said
}

// equalSaid wants the same ids, and log-probabilities within the tolerance: of
// the whole vocabulary for the first token, then of what was said.
func equalSaid(t *testing.T, got, want []infer.Said) {
	t.Helper()
	for i := range want {
		if got[i].Err != nil || want[i].Err != nil {
			t.Fatalf("prompt %d: %v, want %v", i, got[i].Err, want[i].Err)
		}
		if diff := cmp.Diff(want[i].IDs, got[i].IDs); diff != "" {
			t.Errorf("prompt %d: ids (-want +got):\n%s", i, diff)
		}
		near(t, fmt.Sprintf("prompt %d: first token", i), narrow(got[i].Letters), narrow(want[i].Letters), tolerance)
		near(t, fmt.Sprintf("prompt %d: said", i), narrowValues(got[i].Logprobs), narrowValues(want[i].Logprobs), tolerance)
	}
}

func narrow(values []*float64) []float32 {
	out := make([]float32, len(values))
	for i, v := range values {
		out[i] = float32(*v)
	}
	return out
}

func narrowValues(values []float64) []float32 {
	out := make([]float32, len(values))
	for i, v := range values {
		out[i] = float32(v)
	}
	return out
}

// A clip's tokens are the same bit for bit whatever else is encoded meanwhile.
func TestEncodeKeepsClipsApart(t *testing.T) {
	t.Parallel()
	for _, folder := range familyFolders() {
		t.Run(filepath.Base(folder), func(t *testing.T) {
			t.Parallel()
			f := openFamily(t, folder, "bundle")
			frames := get[uint8](t, f.golden, "frames")
			want := f.tokensOf(t, frames)
			for _, n := range []int{1, 3, 8, 11} {
				t.Run(fmt.Sprintf("beside %d frames", n), func(t *testing.T) {
					t.Parallel()
					others := tensor.New[uint8](append([]int{n}, frames.Shape[1:]...)...)
					for i := range others.Data {
						others.Data[i] = uint8(i * (n + 7))
					}
					f.tokensOf(t, others)
					if !slices.Equal(want.Data, f.tokensOf(t, frames).Data) {
						t.Error("the clip has other tokens than alone")
					}
				})
			}
		})
	}
}

// tokensOf encodes a clip.
func (f *family) tokensOf(t *testing.T, frames tensor.Dense[uint8]) tensor.Dense[tensor.Float16] {
	t.Helper()
	clip := &tensor.File{}
	tensor.Put(clip, "frames", frames)
	file, err := f.encoder.Encode(clip)
	if err != nil {
		t.Fatal(err)
	}
	return get[tensor.Float16](t, file, "tokens")
}
