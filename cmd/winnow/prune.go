package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/winnow-video/winnow/infer/tensor"
	"github.com/winnow-video/winnow/prune"
	"github.com/winnow-video/winnow/workflows/job"
)

const pruneLong = `Select visual tokens offline.

IN holds visual_tokens [P,D] or [T,P,D] (F16 or F32) and, for methods that look at
the question, text_query [E]. OUT holds keep_idx I64 [M] (into T·P, ascending),
kept_tokens [M,D], frame and cell I32 [M]. Where tokens are merged (method pool), it
also holds what each is made of: source_counts I32 [M], then source_rows I64 [S] (into
T·P) and weights F32 [S], token by token.

--heatmap PICTURE draws what was seen and kept: relevance in colour over the picture
that the tokens are of (PNG or JPEG), kept cells outlined, pruned ones dark. Tokens of
T frames take it T times, in order. Give each picture as it went into the encoder, or
uncut: its middle is taken in the grid's shape, as resize shortest_crop does.`

// pruneFlags are the flags of `winnow prune`.
type pruneFlags struct {
	pruning    job.Pruning
	grid       prune.Grid
	out        string
	pictures   []string
	heatmapOut string
	asJSON     bool
}

func (a *app) pruneCommand() *cobra.Command {
	f := pruneFlags{pruning: job.DefaultPruning()}
	c := &cobra.Command{
		Use: "prune IN.safetensors --out OUT.safetensors", Short: "Select visual tokens of a file", Long: pruneLong,
		Example: "  winnow prune clip.safetensors --keep 0.15 --alpha 0.5 --tau 0 --out kept.safetensors\n" +
			"  winnow prune image.safetensors --heatmap image.png --out kept.safetensors    # and kept.png",
		Args: exactArgs("IN.safetensors"),
	}
	bindPruning(c.Flags(), &f.pruning)
	hide(c.Flags(), "query") // IN holds the query vector itself
	c.Flags().TextVar(&f.grid, "grid", f.grid, "rows and columns of a frame's tokens, like `12x12`, or 24x24+1 where one leads; of method pool and heat maps (default: square)")
	c.Flags().StringVar(&f.out, "out", "", "file to write (required)")
	c.Flags().StringArrayVar(&f.pictures, "heatmap", nil, "draw a heat map over this picture; once a frame")
	c.Flags().StringVar(&f.heatmapOut, "heatmap-out", "", "PNG to draw it to (default: OUT's name with .png)")
	c.Flags().BoolVar(&f.asJSON, "json", false, "print what was kept as JSON")
	c.RunE = func(_ *cobra.Command, args []string) error {
		if err := f.check(args[0]); err != nil {
			return err
		}
		kept, err := f.run(args[0])
		if err != nil {
			return err
		}
		return a.printKept(f, kept)
	}
	return c
}

// check completes the flags and refuses those that no file could come of.
func (f *pruneFlags) check(in string) error {
	switch {
	case f.out == "":
		return usagef("missing --out: the file to write")
	case len(f.pictures) == 0 && f.heatmapOut != "":
		return usagef("--heatmap-out without --heatmap: the picture to draw on")
	case len(f.pictures) == 0:
		return nil
	case f.heatmapOut == "":
		f.heatmapOut = strings.TrimSuffix(f.out, filepath.Ext(f.out)) + ".png"
	}
	for _, other := range append([]string{in, f.out}, f.pictures...) {
		if filepath.Clean(other) == filepath.Clean(f.heatmapOut) {
			return usagef("the heat map would replace %s: name another file with --heatmap-out", other)
		}
	}
	return nil
}

func hide(set *pflag.FlagSet, name string) { set.Lookup(name).Hidden = true }

// run writes the selection from in, and the heat map if asked for; or leaves neither behind.
func (f *pruneFlags) run(in string) (*tensor.File, error) {
	text, err := os.ReadFile(in)
	if err != nil {
		return nil, err
	}
	file, err := tensor.Decode(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", in, err)
	}
	p := f.pruning
	kept, selection, err := prune.SelectFile(file, prune.Options{
		Method: p.Method, Keep: p.Keep, Alpha: p.Alpha, Tau: p.Tau, Scope: prune.Scope(p.Scope), Seed: p.Seed, Grid: f.grid,
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", in, err)
	}
	bytes, err := tensor.Encode(kept)
	if err != nil {
		return nil, err
	}
	outputs := []output{{f.out, bytes}}
	if len(f.pictures) > 0 {
		picture, err := drawHeatmap(selection, f.grid, f.pictures)
		if err != nil {
			return nil, fmt.Errorf("heat map: %w", err)
		}
		outputs = append(outputs, output{f.heatmapOut, picture})
	}
	return kept, writeWhole(outputs...)
}

// output is a file to write.
type output struct {
	path    string
	content []byte
}

// writeWhole writes outputs by way of temporary files, which get their names once
// all are written: a failure leaves nothing half.
func writeWhole(outputs ...output) error {
	for _, o := range outputs {
		defer os.Remove(o.path + ".part")
		if err := os.WriteFile(o.path+".part", o.content, 0o644); err != nil {
			return err
		}
	}
	for _, o := range outputs {
		if err := os.Rename(o.path+".part", o.path); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) printKept(f pruneFlags, kept *tensor.File) error {
	index, err := tensor.Get[int64](kept, "keep_idx")
	if err != nil {
		return err
	}
	if f.asJSON {
		return json.NewEncoder(a.out).Encode(struct {
			Out     string  `json:"out"`
			Heatmap string  `json:"heatmap,omitempty"`
			Kept    int     `json:"kept"`
			KeepIdx []int64 `json:"keep_idx"`
		}{f.out, f.heatmapOut, len(index.Data), index.Data})
	}
	fmt.Fprintf(a.out, "%s: %d tokens kept\n", f.out, len(index.Data))
	if f.heatmapOut != "" {
		fmt.Fprintf(a.out, "%s: heat map of %d %s\n", f.heatmapOut, len(f.pictures), plural(len(f.pictures), "frame"))
	}
	return nil
}
