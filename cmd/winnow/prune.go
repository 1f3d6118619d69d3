package main

import (
	"encoding/json"
	"fmt"
	"os"

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
T·P) and weights F32 [S], token by token.`

func (a *app) pruneCommand() *cobra.Command {
	var out string
	var asJSON bool
	var grid prune.Grid
	p := job.DefaultPruning()
	c := &cobra.Command{
		Use: "prune IN.safetensors --out OUT.safetensors", Short: "Select visual tokens of a file", Long: pruneLong,
		Example: "  winnow prune clip.safetensors --keep 0.15 --alpha 0.5 --tau 0 --out kept.safetensors",
		Args:    exactArgs("IN.safetensors"),
	}
	bindPruning(c.Flags(), &p)
	hide(c.Flags(), "query") // IN holds the query vector itself
	c.Flags().TextVar(&grid, "grid", grid, "rows and columns of a frame's tokens, like `12x12`, or 24x24+1 where one leads; of method pool (default: square)")
	c.Flags().StringVar(&out, "out", "", "file to write (required)")
	c.Flags().BoolVar(&asJSON, "json", false, "print what was kept as JSON")
	c.RunE = func(_ *cobra.Command, args []string) error {
		if out == "" {
			return usagef("missing --out: the file to write")
		}
		kept, err := pruneFile(args[0], out, p, grid)
		if err != nil {
			return err
		}
		return a.printKept(out, kept, asJSON)
	}
	return c
}

func hide(set *pflag.FlagSet, name string) { set.Lookup(name).Hidden = true }

// pruneFile writes the selection from in to out, or leaves no out behind.
func pruneFile(in, out string, p job.Pruning, grid prune.Grid) (*tensor.File, error) {
	text, err := os.ReadFile(in)
	if err != nil {
		return nil, err
	}
	file, err := tensor.Decode(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", in, err)
	}
	kept, err := prune.SelectFile(file, prune.Options{
		Method: p.Method, Keep: p.Keep, Alpha: p.Alpha, Tau: p.Tau, Scope: prune.Scope(p.Scope), Seed: p.Seed, Grid: grid,
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", in, err)
	}
	bytes, err := tensor.Encode(kept)
	if err != nil {
		return nil, err
	}
	return kept, writeWhole(out, bytes)
}

// writeWhole writes path by way of a temporary file, so that a failure leaves nothing half.
func writeWhole(path string, content []byte) error {
	temp := path + ".part"
	if err := os.WriteFile(temp, content, 0o644); err != nil {
		os.Remove(temp)
		return err
	}
	return os.Rename(temp, path)
}

func (a *app) printKept(out string, kept *tensor.File, asJSON bool) error {
	index, err := tensor.Get[int64](kept, "keep_idx")
	if err != nil {
		return err
	}
	if asJSON {
		return json.NewEncoder(a.out).Encode(map[string]any{"out": out, "kept": len(index.Data), "keep_idx": index.Data})
	}
	_, err = fmt.Fprintf(a.out, "%s: %d tokens kept\n", out, len(index.Data))
	return err
}
