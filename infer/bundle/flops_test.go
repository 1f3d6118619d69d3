package bundle

import (
	"math"
	"testing"
)

// vicuna is LLaVA-1.5-7B with CLIP ViT-L/14-336, of whose 24 layers 23 run.
func vicuna() Dims {
	return Dims{
		Vision:    VisionDims{Tokens: 577, Patch: 3 * 14 * 14, Layers: 23, Hidden: 1024, Intermediate: 4096},
		Projector: []int{1024, 4096, 4096},
		Language:  LanguageDims{Layers: 32, Hidden: 4096, Intermediate: 11008, Heads: 32, KVHeads: 32, HeadDim: 128, Vocab: 32000},
	}
}

// The table of prefill TFLOP that the project publishes: 80 text tokens, all
// visual tokens kept, 15 % and 10 % of every frame.
func TestFLOPsOfVicuna(t *testing.T) {
	t.Parallel()
	table := []struct {
		frames, perFrame int
		real, literature [3]float64
		encode           float64
	}{
		{8, 144, [3]float64{16.4, 3.33, 2.50}, [3]float64{6.60, 1.31, 0.980}, 2.93},
		{8, 576, [3]float64{66.5, 10.1, 7.12}, [3]float64{29.4, 4.02, 2.82}, 2.93},
		{32, 144, [3]float64{66.5, 10.3, 6.91}, [3]float64{29.4, 4.11, 2.73}, 11.7},
		{32, 576, [3]float64{330, 38.8, 26.1}, [3]float64{183, 16.4, 10.7}, 11.7},
		{64, 144, [3]float64{143, 19.9, 12.9}, [3]float64{69.4, 8.07, 5.16}, 23.4},
		{64, 576, [3]float64{836, 80.5, 52.9}, [3]float64{544, 36.3, 22.9}, 23.4},
	}
	dims := vicuna()
	for _, row := range table {
		for i, keep := range []float64{1, 0.15, 0.1} {
			kept := int(math.RoundToEven(float64(row.perFrame) * keep))
			n := row.frames*kept + 80
			if got := dims.Language.Prefill(0, n); !rounds(got, row.real[i]) {
				t.Errorf("%d×%d at %v: real %g, want %v T", row.frames, row.perFrame, keep, got, row.real[i])
			}
			if got := dims.FLOPs(Literature, Work{Prompt: n}); !rounds(got, row.literature[i]) {
				t.Errorf("%d×%d at %v: literature %g, want %v T", row.frames, row.perFrame, keep, got, row.literature[i])
			}
		}
		if got := dims.Encode(row.frames); !rounds(got, row.encode) {
			t.Errorf("%d frames: encoder %g, want %v T", row.frames, got, row.encode)
		}
	}
}

// rounds tells whether flops is tera, which was published with up to three digits.
func rounds(flops, tera float64) bool { return math.Abs(flops/1e12/tera-1) < 0.005 }

func TestRealFLOPsAddUp(t *testing.T) {
	t.Parallel()
	d := vicuna()
	w := Work{Frames: 8, Visual: 176, Prompt: 256, Completion: 3}
	want := d.Encode(8) + d.Project(176) + d.Language.Prefill(0, 256) +
		d.Language.Prefill(256, 1) + d.Language.Prefill(257, 1) + d.Language.Prefill(258, 1)
	if got := d.FLOPs(Real, w); got != want {
		t.Errorf("real FLOPs of %+v: %g, want %g", w, got, want)
	}
	if perToken := d.Language.Prefill(256, 1); math.Abs(perToken-13.3e9) > 0.3e9 {
		t.Errorf("decoding a token takes %g, want about 13.3 GFLOP", perToken)
	}
}

func TestPrefillInTwoPartsCountsTheSameAttention(t *testing.T) {
	t.Parallel()
	l := vicuna().Language
	parts := l.Prefill(0, 1000) + l.Prefill(1000, 232) - l.head()
	if whole := l.Prefill(0, 1232); math.Abs(parts/whole-1) > 1e-12 {
		t.Errorf("prefill of 1000 and 232: %g, of 1232: %g", parts, whole)
	}
}

func TestBreakEven(t *testing.T) {
	t.Parallel()
	l := vicuna().Language
	if got := l.BreakEven(8*144, 8*22, 80); got != 7 {
		t.Errorf("8×144 at 15 %%: a shared prefix wins from %v questions, want 7", got)
	}
	if got := l.BreakEven(64*576, 1, 80); !math.IsInf(got, 1) {
		t.Errorf("one kept token of 36864: a shared prefix wins from %v questions, want never", got)
	}
}

func TestKVBytesOfVicuna(t *testing.T) {
	t.Parallel()
	if got := vicuna().Language.KVBytes(1, 2); got != 512<<10 {
		t.Errorf("KV cache of a token in f16: %d bytes, want 512 KiB", got)
	}
}
