package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/winnow-video/winnow/decode/client"
	"github.com/winnow-video/winnow/decode/wire"
	"github.com/winnow-video/winnow/infer/bundle"
	"github.com/winnow-video/winnow/infer/tensor"
	"github.com/winnow-video/winnow/workflows/job"
)

const verifyLong = `Compare every file of a bundle with its digest, and its parts with each other.

With --against transformers, also answer questions twice, from the bundle's files and
by the checkpoint it was exported from, and compare: tokens, prompt, embeddings, first
logits and greedy answers, with all tokens and with those that ReDiPrune keeps. Frames
and prompts are Winnow's own. It needs the Python of deploy/bundle/requirements.txt,
and memory for the checkpoint in 32 bits.`

// verifyFlags are the flags of `winnow bundle verify`.
type verifyFlags struct {
	against  string
	model    string
	manifest string
	clips    int
	keep     []string
	query    string
	limit    float64
	python   string
	script   string
}

func (a *app) bundleVerifyCommand() *cobra.Command {
	var f verifyFlags
	c := &cobra.Command{
		Use: "verify FOLDER", Short: "Compare every file of a bundle with its digest, and its parts with each other", Long: verifyLong, Args: exactArgs("FOLDER"),
		Example: "  winnow bundle verify bundles/x\n  winnow bundle verify bundles/x --against transformers --model CHECKPOINT --manifest clips.jsonl",
	}
	c.Flags().StringVar(&f.against, "against", "", "transformers: compare answers with the checkpoint's")
	c.Flags().StringVar(&f.model, "model", "", "the checkpoint's folder, or its Hugging Face model id")
	c.Flags().StringVar(&f.manifest, "manifest", "", "questions about videos on this machine")
	c.Flags().IntVar(&f.clips, "clips", 20, "lines of the manifest that are asked")
	c.Flags().StringSliceVar(&f.keep, "keep", []string{"1", "0.15"}, "shares of the visual tokens kept")
	c.Flags().StringVar(&f.query, "query", string(job.QueryPrompt), "what ReDiPrune's query is made of: prompt, question, released")
	c.Flags().Float64Var(&f.limit, "tolerance", 1e-3, "largest difference of a logit, as a share of the largest logit; 0.1 suits int8")
	c.Flags().StringVar(&f.python, "python", "python3", "interpreter that has the requirements")
	c.Flags().StringVar(&f.script, "script", filepath.Join("deploy", "bundle", "verify.py"), "the comparison, in Winnow's source")
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := f.validate(); err != nil {
			return err
		}
		b, err := bundle.Open(c.Context(), args[0])
		if err != nil {
			return bundleError(err)
		}
		defer b.Close()
		if _, err := fmt.Fprintf(a.out, "%s: ok: %s, %d files, digest %s\n", args[0], b.Name, len(b.Files), b.Digest()); err != nil || f.against == "" {
			return err
		}
		return a.compare(c.Context(), f, b, args[0])
	}
	return c
}

func (f verifyFlags) validate() error {
	switch {
	case f.against == "":
		return nil
	case f.against != "transformers":
		return usagef("--against %q: want transformers", f.against)
	case f.model == "" || f.manifest == "":
		return usagef("--against transformers wants --model and --manifest")
	case f.clips < 1:
		return usagef("--clips %d: want at least 1", f.clips)
	}
	for _, keep := range f.keep {
		if share, err := strconv.ParseFloat(keep, 64); err != nil || share <= 0 || share > 1 {
			return usagef("--keep %q: want more than 0 and at most 1", keep)
		}
	}
	return nil
}

// compare prepares clips and prompts as jobs do, and hands them to the script.
func (a *app) compare(ctx context.Context, f verifyFlags, b *bundle.Bundle, dir string) error {
	if b.Pictures() {
		return usagef("--against transformers: %s has no files to compare: its language model is shown frames as images", dir)
	}
	items, err := a.readItems(f.manifest)
	if err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "winnow-verify-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	if err := writeCases(ctx, b, items[:min(f.clips, len(items))], job.Query(f.query), work); err != nil {
		return err
	}
	args := []string{f.script, "--bundle", dir, "--model", f.model, "--cases", work, "--tolerance", strconv.FormatFloat(f.limit, 'g', -1, 64)}
	for _, keep := range f.keep {
		args = append(args, "--keep", keep)
	}
	script := exec.CommandContext(ctx, f.python, args...)
	script.Stdout, script.Stderr = a.out, a.err
	if err := script.Run(); err != nil {
		return fmt.Errorf("%s %s: %w", f.python, f.script, err)
	}
	return nil
}

// verifyCase is a question as verify.py reads it; frames lie in Clip.
type verifyCase struct {
	ID       string           `json:"id"`
	Clip     string           `json:"clip"` // safetensors: frames U8 [T,H,W,3]
	Question string           `json:"question"`
	Options  []string         `json:"options"`
	QueryIDs []int32          `json:"query_ids"`
	Segments []bundle.Segment `json:"segments"` // of the prompt with all tokens
}

func writeCases(ctx context.Context, b *bundle.Bundle, items []job.Item, query job.Query, dir string) error {
	decoder, err := program("winnow-decode")
	if err != nil {
		return err
	}
	cases := make([]verifyCase, len(items))
	for i, item := range items {
		clip, err := decodeFor(ctx, decoder, b, item)
		if err != nil {
			return fmt.Errorf("line %d: %s: %w", item.Line, item.Video, err)
		}
		if cases[i], err = caseOf(b, item, clip, query); err != nil {
			return fmt.Errorf("line %d: %w", item.Line, err)
		}
		cases[i].Clip = fmt.Sprintf("%d.safetensors", i)
		if err := writeClip(filepath.Join(dir, cases[i].Clip), clip); err != nil {
			return err
		}
	}
	text, err := json.Marshal(cases)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "cases.json"), text, 0o600)
}

// decodeFor decodes the frames that the bundle's model looks at by default.
func decodeFor(ctx context.Context, decoder string, b *bundle.Bundle, item job.Item) (*client.Clip, error) {
	video, err := client.OpenFile(item.Video)
	if err != nil {
		return nil, err
	}
	defer video.Close()
	return client.Decoder{Path: decoder}.Run(ctx, wire.Request{
		Container: filepath.Ext(item.Video), Start: item.Start, End: item.End, Sampling: wire.Sampling{Count: b.Frames.Default},
		Image: wire.Image{Size: b.Image.Size, Resize: wire.Resize(b.Image.Resize)},
	}, video)
}

func caseOf(b *bundle.Bundle, item job.Item, clip *client.Clip, query job.Query) (verifyCase, error) {
	q := bundle.Question{Text: item.Question, Options: item.Options, Times: clip.PTS, Duration: clip.Info.DurationS}
	ids, err := b.QueryIDs(query, q)
	if err != nil {
		return verifyCase{}, err
	}
	kept := make([]int, len(clip.PTS))
	for t := range kept {
		kept[t] = b.Tokens()
	}
	p, err := b.Prompt(q, kept)
	return verifyCase{ID: item.ID, Question: item.Question, Options: item.Options, QueryIDs: ids, Segments: p.Segments}, err
}

func writeClip(path string, clip *client.Clip) error {
	f := &tensor.File{}
	tensor.Put(f, "frames", clip.Frames)
	content, err := tensor.Encode(f)
	if err != nil {
		return err
	}
	return os.WriteFile(path, content, 0o600)
}
