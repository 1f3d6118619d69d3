package workers

import (
	"github.com/winnow-video/winnow/infer/bundle"
	"github.com/winnow-video/winnow/prune"
	"github.com/winnow-video/winnow/workflows"
	"github.com/winnow-video/winnow/workflows/artifact"
	"github.com/winnow-video/winnow/workflows/job"
)

// Recipes are all that an artifact depends on, so that its key can be computed
// before it exists. A change of what a field means needs another value of it:
// an artifact is never looked at to see how it was made.

type clipRecipe struct {
	Strategy     string   `json:"strategy"`
	Count        int      `json:"count"`
	FPS          float64  `json:"fps"`
	Start        *float64 `json:"start"`
	End          *float64 `json:"end"`
	Size         int      `json:"size"`
	Resize       string   `json:"resize"`
	Fill         [3]uint8 `json:"fill"`
	Color        string   `json:"color"`
	AllowPartial bool     `json:"allow_partial"`
	DecodeErrors int      `json:"decode_errors"`
	Decoder      string   `json:"decoder"` // build of winnow-decode, and the device asked for: see clipDecoder
}

type tokensRecipe struct {
	Encoder   string `json:"encoder"` // digest of vision.onnx
	Provider  string `json:"provider"`
	Precision string `json:"precision"`
}

type keptRecipe struct {
	Policy prune.Options `json:"policy"`
	Query  *queryRecipe  `json:"query,omitempty"` // nil where the policy does not look at it: all questions share one
}

type queryRecipe struct {
	Bundle  string    `json:"bundle"` // its tokenizer, template and embeddings
	Kind    job.Query `json:"kind"`
	Text    string    `json:"text"`
	Options []string  `json:"options"`
}

type answerRecipe struct {
	Bundle   string         `json:"bundle"`
	Question string         `json:"question"`
	Options  []string       `json:"options"`
	Generate job.Generation `json:"generate"`
	Fit      job.Fit        `json:"fit"`
}

// frameCount is how many frames are looked at.
func frameCount(spec job.Spec, b *bundle.Manifest) int {
	switch {
	case b.Frames.Fixed > 0:
		return b.Frames.Fixed
	case spec.Frames.Count > 0:
		return spec.Frames.Count
	}
	return b.Frames.Default
}

// sharedKeys are the keys of what a video's questions share.
func sharedKeys(source string, item job.Item, spec job.Spec, b *bundle.Bundle, decoder string, e Encoder) workflows.Keys {
	clip := artifact.Clip(source, clipRecipe{
		Strategy: string(spec.Frames.Strategy), Count: frameCount(spec, &b.Manifest), FPS: spec.Frames.FPS,
		Start: item.Start, End: item.End,
		Size: b.Image.Size, Resize: string(b.Image.Resize), Fill: meanColour(b.Image), Color: string(spec.Frames.Color),
		AllowPartial: spec.AllowPartial, DecodeErrors: spec.Limits.DecodeErrors, Decoder: decoder,
	})
	return workflows.Keys{Source: source, Clip: clip, Tokens: tokensKey(clip, b, e)}
}

func tokensKey(clip artifact.Key, b *bundle.Bundle, e Encoder) artifact.Key {
	tower := b.Files[bundle.VisionFile].SHA256
	return artifact.Tokens(clip, tokensRecipe{Encoder: tower, Provider: string(e.Provider), Precision: e.Precision})
}

// keptKey is where one variant's kept tokens for item lie.
func keptKey(tokens artifact.Key, item job.Item, p job.Pruning, policy prune.Policy, b *bundle.Bundle) artifact.Key {
	recipe := keptRecipe{Policy: pruneOptions(p, &b.Manifest)}
	if policy.QueryDependent() {
		recipe.Query = &queryRecipe{Bundle: b.Digest(), Kind: p.Query, Text: queryText(item), Options: item.Options}
	}
	return artifact.Kept(tokens, recipe)
}

// answerKey is where the reply to item, from these kept tokens, lies.
func answerKey(kept artifact.Key, item job.Item, spec job.Spec, bundleDigest string) artifact.Key {
	return artifact.Answer(kept, answerRecipe{
		Bundle: bundleDigest, Question: item.Question, Options: item.Options,
		Generate: spec.Generate, Fit: spec.Fit,
	})
}

// pruneOptions is a setting with what the bundle's encoder adds to it.
func pruneOptions(p job.Pruning, b *bundle.Manifest) prune.Options {
	o := prune.Options{
		Method: p.Method, Keep: p.Keep, Alpha: p.Alpha, Tau: p.Tau,
		Scope: prune.Scope(p.Scope), Seed: p.Seed,
	}
	return o.OnGrid(gridOf(b))
}

// gridOf is how the tokens that are selected from lie.
func gridOf(b *bundle.Manifest) prune.Grid {
	return prune.Grid{Rows: b.Grid[0], Columns: b.Grid[1], Leading: b.ExtraLeading}
}

// queryText is what an item is pruned by.
func queryText(item job.Item) string {
	if item.Query != "" {
		return item.Query
	}
	return item.Question
}
