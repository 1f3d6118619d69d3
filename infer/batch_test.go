package infer

import (
	"math"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/winnow-video/winnow/infer/bundle"
	"github.com/winnow-video/winnow/infer/tensor"
	"github.com/winnow-video/winnow/workflows/job"
)

// ledger is a decoder graph that computes nothing and notes what it is asked to:
// how much was read behind how much, and what memory that took.
type ledger struct {
	decoder *Decoder
	vocab   int
	read    []run
	most    int64 // bytes of keys and values at one time, prefixes included
}

// run is one: of B prompts, L rows each behind S.
type run struct{ B, S, L int }

func (g *ledger) Close() error { return nil }

func (g *ledger) Run(in, out *tensor.File) error {
	rows := in.Tensors["inputs_embeds"].Shape
	past := in.Tensors["past.0.k"].Shape[2]
	g.read = append(g.read, run{rows[0], past, rows[1]})
	lent := int64(len(in.Tensors["past.0.k"].Bytes)+len(out.Tensors["present.0.k"].Bytes)) * int64(2*g.decoder.layout.layers)
	g.most = max(g.most, lent+g.decoder.prefixes.held, 4*int64(len(g.decoder.room))+g.decoder.prefixes.held)
	tensor.Put(out, "logits", tensor.New[float32](rows[0], g.vocab))
	return nil
}

// ledgered is a decoder of the tiny bundle that computes nothing.
func ledgered(t *testing.T, limits Limits) (*Decoder, *ledger) {
	t.Helper()
	b, err := bundle.Open(t.Context(), filepath.Join("onnx", "testdata", "tiny"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	g := &ledger{vocab: b.Dims.Language.Vocab}
	d := &Decoder{bundle: b, graph: g, limits: limits, layout: layoutOf(b.Dims.Language), prefixes: newPrefixes()}
	g.decoder = d
	return d, g
}

// rows are n rows of a prompt that begins as number says.
func (d *Decoder) rows(n int, number float32) tensor.Dense[float32] {
	embeds := tensor.New[float32](n, d.bundle.Dims.Language.Hidden)
	for i := range embeds.Data {
		embeds.Data[i] = number
	}
	return embeds
}

func scored(embeds tensor.Dense[float32], prefix int) *Prompt {
	return &Prompt{Embeds: embeds, Prefix: prefix, Generate: job.Generation{Mode: job.ModeScore}}
}

func generated(embeds tensor.Dense[float32], prefix, most int) *Prompt {
	return &Prompt{Embeds: embeds, Prefix: prefix, Generate: job.Generation{MaxTokens: most, TopP: 1}}
}

func wantSaid(t *testing.T, said []Said) {
	t.Helper()
	for i, s := range said {
		if s.Err != nil {
			t.Errorf("prompt %d: %v", i, s.Err)
		}
	}
}

// A prompt takes part with the rows that a step reads; those of prefixes are read apart.
func TestBatchesByRows(t *testing.T) {
	t.Parallel()
	d, g := ledgered(t, Limits{Rows: 10, KV: 1 << 30})
	var prompts []*Prompt
	for _, n := range []int{30, 1, 2, 5, 1, 3} {
		prompts = append(prompts, scored(d.rows(n, 0), 0))
	}
	prompts = append(prompts, scored(d.rows(43, 1), 40), scored(d.rows(42, 1), 40), scored(d.rows(41, 1), 40), scored(d.rows(44, 1), 40))
	wantSaid(t, d.Say(t.Context(), prompts))
	want := []run{{3, 0, 2}, {2, 0, 5}, {1, 0, 30}, {1, 0, 40}, {3, 40, 3}, {1, 40, 4}}
	if diff := cmp.Diff(want, g.read); diff != "" {
		t.Errorf("B prompts of L rows behind S (-want +got):\n%s", diff)
	}
}

// Short prompts wait for no long ones, unless there are steps enough to share.
func TestPaddingPays(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		say  func(embeds tensor.Dense[float32]) *Prompt
		want []run // the prompts' own
	}{
		{"scored", func(e tensor.Dense[float32]) *Prompt { return scored(e, 0) }, []run{{2, 0, 205}, {2, 0, 805}}},
		{"few tokens", func(e tensor.Dense[float32]) *Prompt { return generated(e, 0, 8) }, []run{{2, 0, 205}, {2, 0, 805}}},
		{"many tokens", func(e tensor.Dense[float32]) *Prompt { return generated(e, 0, 128) }, []run{{4, 0, 805}}},
	} {
		d, g := ledgered(t, Limits{Rows: 8192, KV: 1 << 30})
		var prompts []*Prompt
		for _, n := range []int{800, 200, 805, 205} {
			prompts = append(prompts, c.say(d.rows(n, 0)))
		}
		wantSaid(t, d.Say(t.Context(), prompts))
		read := slices.DeleteFunc(g.read, func(r run) bool { return r.S > 0 }) // steps
		if diff := cmp.Diff(c.want, read); diff != "" {
			t.Errorf("%s: B prompts of L rows behind S (-want +got):\n%s", c.name, diff)
		}
	}
}

// Clip after clip, with answers short and long, one prompt as large as there is
// room: the limit holds, and so do prefixes as far as they fit.
func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	positions := func(d *Decoder, n int) int64 { return d.layout.bytes(n) }
	d, g := ledgered(t, Limits{Rows: 1 << 20})
	d.limits.KV = positions(d, 400)
	for round := range 3 {
		for clip := range 6 {
			var prompts []*Prompt
			for i := range 5 {
				prompts = append(prompts, generated(d.rows(60+3*i, float32(clip)), 60, 4*i))
			}
			prompts = append(prompts, generated(d.rows(100+10*clip, -1), 0, 10*round), scored(d.rows(390, -2), 380))
			wantSaid(t, d.Say(t.Context(), prompts))
		}
	}
	if limit := d.limits.KV; g.most > limit || g.most < limit/2 {
		t.Errorf("%d bytes at most, want over half of %d and no more than that", g.most, limit)
	}
	if d.prefixes.held == 0 || d.prefixes.held > d.limits.KV/2 {
		t.Errorf("%d bytes of prefixes, want some and at most %d", d.prefixes.held, d.limits.KV/2)
	}
}

// Prefixes stay from call to call, those used last the longest.
func TestPrefixesAreKept(t *testing.T) {
	t.Parallel()
	d, g := ledgered(t, Limits{Rows: 100})
	d.limits.KV = 2 * d.layout.bytes(100) // prefixes: two of 40 rows
	ask := func(clip float32) { wantSaid(t, d.Say(t.Context(), []*Prompt{scored(d.rows(45, clip), 40)})) }
	for _, clip := range []float32{1, 2, 1, 3, 1, 2} {
		ask(clip)
	}
	whole, rest := run{1, 0, 45}, run{1, 40, 5}
	want := []run{whole, whole, rest, whole, rest, whole}
	if diff := cmp.Diff(want, g.read); diff != "" {
		t.Errorf("clips 1 2 1 3 1 2 (-want +got):\n%s", diff)
	}
}

func TestPromptThatDoesNotFit(t *testing.T) {
	t.Parallel()
	d, _ := ledgered(t, Limits{Rows: 100})
	d.limits.KV = d.layout.bytes(100)
	said := d.Say(t.Context(), []*Prompt{scored(d.rows(101, 0), 0), scored(d.rows(100, 0), 0), generated(d.rows(41, 0), 0, 11), generated(d.rows(40, 0), 0, 11)})
	for i, fits := range []bool{false, true, false, true} {
		if fits {
			wantSaid(t, said[i:i+1])
			continue
		}
		f := job.AsFailure(job.StageRecord, said[i].Err)
		if said[i].Err == nil || f.Code != job.CapacityMemory || f.Stage != job.StageAnswer {
			t.Errorf("prompt %d: %v, want %s", i, said[i].Err, job.CapacityMemory)
		}
	}
}

// What `winnow bundle inspect` says of a shared prefix is what is computed: with
// as many questions as it names the shared unpruned prefix costs less than
// pruned prompts, with one fewer it does not.
func TestBreakEvenIsWhatIsComputed(t *testing.T) {
	t.Parallel()
	const total, kept, text = 60, 20, 9
	spent := func(questions, visual, prefix int) float64 {
		d, g := ledgered(t, Limits{Rows: 1 << 20, KV: 1 << 30})
		var prompts []*Prompt
		for range questions {
			prompts = append(prompts, scored(d.rows(visual+text, 0), prefix))
		}
		wantSaid(t, d.Say(t.Context(), prompts))
		sum := 0.0
		for _, r := range g.read {
			sum += float64(r.B) * d.bundle.Dims.Language.Prefill(r.S, r.L)
		}
		return sum
	}
	d, _ := ledgered(t, Limits{})
	n := d.bundle.Dims.Language.BreakEven(total, kept, text)
	if math.IsInf(n, 1) || n < 2 {
		t.Fatalf("from %v questions on: the test shows nothing", n)
	}
	for questions, wins := range map[int]bool{int(n) - 1: false, int(n): true} {
		shared, pruned := spent(questions, total, total), spent(questions, kept, 0)
		if (shared <= pruned) != wins {
			t.Errorf("%d questions: %.4g FLOPs on a shared prefix of all tokens, %.4g pruned", questions, shared, pruned)
		}
	}
}
