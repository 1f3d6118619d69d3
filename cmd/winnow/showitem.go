package main

import (
	"context"
	"encoding/json"
	"fmt"
	"image"
	"strings"

	"github.com/spf13/pflag"

	"github.com/winnow-video/winnow/infer/tensor"
	"github.com/winnow-video/winnow/prune"
	"github.com/winnow-video/winnow/workflows/artifact"
	"github.com/winnow-video/winnow/workflows/job"
)

// itemFlags are the flags of `winnow show` that look at one item.
type itemFlags struct{ item, variant, heatmapOut string }

func (f *itemFlags) bind(set *pflag.FlagSet) {
	set.StringVar(&f.item, "item", "", "id of an item: print its records")
	set.StringVar(&f.variant, "variant", "", "of the item, only the record of this variant")
	set.StringVar(&f.heatmapOut, "heatmap-out", "", "PNG to draw the item's heat map to")
}

func (f *itemFlags) check() error {
	if f.item == "" && (f.variant != "" || f.heatmapOut != "") {
		return usagef("missing --item: the id of the item to show")
	}
	return nil
}

// showItem prints an item's records, or draws the heat map of one.
func (a *app) showItem(ctx context.Context, s *session, id job.ID, f itemFlags) error {
	records, err := itemRecords(ctx, s, id, f)
	if err != nil {
		return err
	}
	if f.heatmapOut == "" {
		enc := json.NewEncoder(a.out)
		enc.SetEscapeHTML(false)
		for _, r := range records {
			if err := enc.Encode(r); err != nil {
				return err
			}
		}
		return nil
	}
	r, err := theRecord(records)
	if err != nil {
		return err
	}
	picture, err := recordHeatmap(ctx, s.conn.store, r)
	if err != nil {
		return fmt.Errorf("heat map of %s: %w", r.ID, err)
	}
	if err := writeWhole(output{f.heatmapOut, picture}); err != nil {
		return err
	}
	fmt.Fprintf(a.out, "%s: heat map of %s, %s, %d %s\n", f.heatmapOut, r.ID, r.Variant, len(r.Frames), plural(len(r.Frames), "frame"))
	return nil
}

func itemRecords(ctx context.Context, s *session, id job.ID, f itemFlags) ([]job.Record, error) {
	var found []job.Record
	for r, err := range s.jobs.Results(ctx, id) {
		if err != nil {
			return nil, err
		}
		if r.ID == f.item && (f.variant == "" || r.Variant == f.variant) {
			found = append(found, r)
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("job %s has no record of item %q%s yet", id, f.item, ofVariant(f.variant))
	}
	return found, nil
}

func ofVariant(name string) string {
	if name == "" {
		return ""
	}
	return fmt.Sprintf(", variant %q,", name)
}

// theRecord is the one record that is to be drawn.
func theRecord(records []job.Record) (job.Record, error) {
	if len(records) > 1 {
		names := make([]string, len(records))
		for i, r := range records {
			names[i] = r.Variant
		}
		return job.Record{}, usagef("item %q has several variants: say --variant, one of %s", records[0].ID, strings.Join(names, ", "))
	}
	if r := records[0]; r.Status == job.StatusOK {
		return r, nil
	}
	return job.Record{}, fmt.Errorf("item %q failed in %s: no tokens were kept", records[0].ID, records[0].Failure.Stage)
}

// recordHeatmap draws an ok record from its kept tokens and its clip: a PNG.
func recordHeatmap(ctx context.Context, store artifact.Store, r job.Record) ([]byte, error) {
	kept, err := readTensors(ctx, store, artifact.Key(r.KeptRef))
	if err != nil {
		return nil, err
	}
	s, err := keptSelection(kept, len(r.Frames), r.Tokens.VisualTotal)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r.KeptRef, err)
	}
	clip, grid := kept.Metadata["clip"], prune.Grid{}
	if clip == "" {
		return nil, fmt.Errorf("its tokens were kept by an older winnow, which did not note their frames; run the job in another --state")
	}
	if err := grid.UnmarshalText([]byte(kept.Metadata["grid"])); err != nil {
		return nil, fmt.Errorf("%s: metadata grid: %w", r.KeptRef, err)
	}
	if grid, err = grid.Of(s.P); err != nil {
		return nil, fmt.Errorf("%s: %w", r.KeptRef, err)
	}
	pictures, err := clipPictures(ctx, store, artifact.Key(clip), s.T)
	if err != nil {
		return nil, err
	}
	frames := framesOf(s, grid)
	for i, f := range r.Frames {
		frames[i].Picture = pictures[i]
		frames[i].Title = fmt.Sprintf("#%d  %.3f s: %s", f.Index, f.PTS, frames[i].Title)
	}
	return encodeHeatmap(frames, grid)
}

// clipPictures are the n frames of a clip artifact.
func clipPictures(ctx context.Context, store artifact.Store, key artifact.Key, n int) ([]image.Image, error) {
	clip, err := readTensors(ctx, store, key)
	if err != nil {
		return nil, err
	}
	pixels, err := tensor.Get[uint8](clip, "frames")
	if err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	if s := pixels.Shape; len(s) != 4 || s[0] != n || s[3] != 3 {
		return nil, fmt.Errorf("%s: frames %v, want %d of [H,W,3]", key, []int(s), n)
	}
	h, w := pixels.Shape[1], pixels.Shape[2]
	pictures := make([]image.Image, n)
	for i := range pictures {
		picture := image.NewRGBA(image.Rect(0, 0, w, h))
		drawFrame(picture, image.Point{}, pixels.Data[i*h*w*3:(i+1)*h*w*3], w)
		pictures[i] = picture
	}
	return pictures, nil
}

func readTensors(ctx context.Context, store artifact.Store, key artifact.Key) (*tensor.File, error) {
	body, err := store.Get(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	file, err := tensor.Decode(body)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	return file, nil
}

// keptSelection reads a kept artifact of total tokens in frames back. What a
// merged token is made of does not stand there: it becomes a pick of the cell that
// it stands on.
func keptSelection(kept *tensor.File, frames, total int) (*prune.Selection, error) {
	frame, err := tensor.Get[int32](kept, "frame")
	if err != nil {
		return nil, err
	}
	cell, err := tensor.Get[int32](kept, "cell")
	if err != nil {
		return nil, err
	}
	if frames == 0 || total%frames != 0 || len(frame.Data) != len(cell.Data) {
		return nil, fmt.Errorf("%d frame numbers and %d cells, of %d tokens in %d frames", len(frame.Data), len(cell.Data), total, frames)
	}
	s := &prune.Selection{T: frames, P: total / frames}
	for i := range frame.Data {
		t, c := int(frame.Data[i]), int(cell.Data[i])
		if t < 0 || t >= s.T || c < 0 || c >= s.P {
			return nil, fmt.Errorf("kept token %d is cell %d of frame %d, of %d × %d", i, c, t, s.T, s.P)
		}
		s.Kept = append(s.Kept, prune.Token{Frame: t, Cell: c, Sources: []prune.Source{{Row: t*s.P + c, Weight: 1}}})
	}
	s.Relevance, err = allRelevance(kept, total)
	return s, err
}

// allRelevance is the relevance of all tokens; nil where the method did not look at the question.
func allRelevance(kept *tensor.File, total int) ([]float32, error) {
	const name = "relevance_all"
	if _, looked := kept.Tensors[name]; !looked {
		return nil, nil
	}
	all, err := tensor.Get[float32](kept, name)
	if err == nil && len(all.Data) != total {
		err = fmt.Errorf("tensor %q is of %d tokens, want %d", name, len(all.Data), total)
	}
	return all.Data, err
}
