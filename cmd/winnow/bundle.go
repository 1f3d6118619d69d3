package main

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/winnow-video/winnow/infer/bundle"
)

const bundleLong = `Look at a model bundle: a folder with bundle.json, ONNX graphs, an embedding table
and a tokenizer, written by deploy/bundle/export.py.`

func (a *app) bundleCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "bundle", Short: "Inspect or verify a model bundle", Long: bundleLong, Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(a.bundleInspectCommand(), a.bundleVerifyCommand())
	return c
}

const inspectLong = `Print what a bundle holds and what an answer costs.

FLOPs are counted in two conventions. Real ones are two for each multiply-add that is
computed, attention causal. The literature's are T(4nd²+2n²d+2ndm), which omits encoder
and projector: published ratios are of those.

ONNX Runtime holds weights and computes in 32 bits (int8 ones about one byte each);
a server of a remote language model mostly in 16.

A policy that looks at the question (rediprune) makes a prompt of its own for each.
One that does not (none, uniform, divprune, …) makes prompts that begin alike, and
winnow-infer reads that beginning once for all questions about a clip. The last line
says from how many questions on all tokens, read once, take fewer FLOPs of prefill
than --keep of them, read for each. Time may tell otherwise: on a CPU, attending to
many tokens costs more than its FLOPs.`

// estimate is what `winnow bundle inspect` computes from the bundle's dims.
type estimate struct {
	Frames        int     `json:"frames"`
	Keep          float64 `json:"keep"`
	VisualTotal   int     `json:"visual_total"`
	VisualKept    int     `json:"visual_kept"`
	TextTokens    int     `json:"text_tokens"`
	Encode        float64 `json:"flops_encode"`
	PrefillFull   float64 `json:"flops_prefill_full"` // real
	PrefillKept   float64 `json:"flops_prefill_kept"`
	RealFull      float64 `json:"flops_real_full"` // encoder, projector and prefill
	RealKept      float64 `json:"flops_real_kept"`
	LiteratureAll float64 `json:"flops_literature_full"`
	LiteratureCut float64 `json:"flops_literature_kept"`
	TokenFull     float64 `json:"flops_token_full"` // real, a token of the answer
	TokenKept     float64 `json:"flops_token_kept"`
	Weights       int64   `json:"language_weights"` // parameters
	KVBytesFull   int64   `json:"kv_bytes_full"`    // 32-bit
	KVBytesKept   int64   `json:"kv_bytes_kept"`
	BreakEven     float64 `json:"break_even_questions"` // an unpruned shared prefix is cheaper from here; 0: never
}

func (a *app) bundleInspectCommand() *cobra.Command {
	var frames, text int
	var keep float64
	var asJSON bool
	c := &cobra.Command{
		Use: "inspect FOLDER", Short: "Print what a bundle holds and what an answer costs", Long: inspectLong, Args: exactArgs("FOLDER"),
	}
	c.Flags().IntVar(&frames, "frames", 0, "frames per video (default: the bundle's)")
	c.Flags().Float64Var(&keep, "keep", 0.15, "share of the visual tokens kept")
	c.Flags().IntVar(&text, "text", 80, "text tokens of a prompt")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c.RunE = func(c *cobra.Command, args []string) error {
		if keep <= 0 || keep > 1 || frames < 0 || text < 0 {
			return usagef("want --keep more than 0 and at most 1, --frames and --text not negative")
		}
		m, digest, err := bundle.Verify(c.Context(), args[0])
		if err != nil {
			return bundleError(err)
		}
		if frames == 0 {
			frames = m.Frames.Default
		}
		var e *estimate // only its server knows what a model costs that is shown frames
		if !m.Pictures() {
			e = estimateCost(m, frames, text, keep)
		}
		if asJSON {
			return json.NewEncoder(a.out).Encode(map[string]any{"digest": digest, "manifest": m, "estimate": e})
		}
		a.printBundle(m, digest, e)
		return nil
	}
	return c
}

func estimateCost(m *bundle.Manifest, frames, text int, keep float64) *estimate {
	total := frames * m.Tokens()
	kept := frames * max(1, int(math.RoundToEven(float64(m.Tokens())*keep)))
	work := func(visual int) bundle.Work {
		return bundle.Work{Frames: frames, Visual: visual, Projected: m.Projected(frames, visual), Prompt: visual + text}
	}
	e := &estimate{
		Frames: frames, Keep: keep, VisualTotal: total, VisualKept: kept, TextTokens: text,
		Encode: m.Dims.Encode(frames), PrefillFull: m.Dims.Language.Prefill(0, total+text), PrefillKept: m.Dims.Language.Prefill(0, kept+text),
		RealFull: m.Dims.FLOPs(bundle.Real, work(total)), RealKept: m.Dims.FLOPs(bundle.Real, work(kept)),
		LiteratureAll: m.Dims.FLOPs(bundle.Literature, work(total)), LiteratureCut: m.Dims.FLOPs(bundle.Literature, work(kept)),
		TokenFull: m.Dims.Language.Decode(total+text, 1), TokenKept: m.Dims.Language.Decode(kept+text, 1), Weights: m.Dims.Language.Weights(),
		KVBytesFull: m.Dims.Language.KVBytes(total+text, 4), KVBytesKept: m.Dims.Language.KVBytes(kept+text, 4),
	}
	if n := m.Dims.Language.BreakEven(total, kept, text); n < 1e9 {
		e.BreakEven = n
	}
	return e
}

// printBundle prints what the bundle says and, where e is not nil, what an answer costs.
func (a *app) printBundle(m *bundle.Manifest, digest string, e *estimate) {
	t := a.table("", "")
	t.AppendRows(rows{
		{"name", m.Name}, {"digest", digest}, {"licence", m.Licence}, {"created by", m.CreatedBy},
		{"image", fmt.Sprintf("%d × %d, %s", m.Image.Size, m.Image.Size, m.Image.Resize)},
		{"frames", m.Frames.Default}, {"layout", m.Layout},
	})
	if m.Remote() {
		t.AppendRows(rows{{"language model", fmt.Sprintf("%s, served elsewhere", m.Language.Title())}})
	}
	if e == nil {
		t.AppendRows(rows{{"a frame", "is shown to it whole: nothing is encoded or pruned here"}})
	} else {
		t.AppendRows(rows{
			{"tokens a frame", fmt.Sprintf("%d (%d × %d grid) × %d", m.Tokens(), m.Grid[0], m.Grid[1], m.Dims.Vision.Hidden)},
			{"context", m.Context}, {"relevance trained", strconv.FormatBool(m.RelevanceTrained)},
		})
		t.AppendSeparator()
		t.AppendRows(e.rows())
	}
	t.Render()
}

func (e *estimate) rows() rows {
	return rows{
		{fmt.Sprintf("%d frames, %d text tokens", e.Frames, e.TextTokens), fmt.Sprintf("all %d visual → keep %g: %d", e.VisualTotal, e.Keep, e.VisualKept)},
		{"FLOPs of prefill, real", fmt.Sprintf("%s → %s", si(e.PrefillFull), si(e.PrefillKept))},
		{"FLOPs of prefill, literature", fmt.Sprintf("%s → %s", si(e.LiteratureAll), si(e.LiteratureCut))},
		{"FLOPs of the encoder, real", si(e.Encode)},
		{"both and the projector, real", fmt.Sprintf("%s → %s", si(e.RealFull), si(e.RealKept))},
		{"FLOPs of a further token, real", fmt.Sprintf("%s → %s", si(e.TokenFull), si(e.TokenKept))},
		{"language model's weights", fmt.Sprintf("%s: %sB in 32 bits, %sB in 16", si(float64(e.Weights)), si(4*float64(e.Weights)), si(2*float64(e.Weights)))},
		{"KV cache, 32-bit; half in 16", fmt.Sprintf("%sB → %sB", si(float64(e.KVBytesFull)), si(float64(e.KVBytesKept)))},
		{"shared unpruned prefix wins", breakEven(e.BreakEven)},
	}
}

func breakEven(questions float64) string {
	if questions == 0 {
		return "never"
	}
	return fmt.Sprintf("from %.0f questions on a clip, by FLOPs", questions)
}
