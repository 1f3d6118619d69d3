package main

import (
	"bytes"
	"fmt"
	"image"
	_ "image/jpeg" // what image.Decode reads, beside PNG
	"image/png"
	"os"

	"github.com/winnow-video/winnow/cmd/winnow/heatmap"
	"github.com/winnow-video/winnow/prune"
)

// drawHeatmap draws a selection over the pictures of its frames: a PNG.
func drawHeatmap(s *prune.Selection, grid prune.Grid, pictures []string) ([]byte, error) {
	if len(pictures) != s.T {
		return nil, fmt.Errorf("%d %s, but tokens of %d %s: give --heatmap once a frame, in order",
			len(pictures), plural(len(pictures), "picture"), s.T, plural(s.T, "frame"))
	}
	grid, err := grid.Of(s.P)
	if err != nil {
		return nil, err
	}
	frames := framesOf(s, grid)
	for i, path := range pictures {
		frames[i].Title = fmt.Sprintf("frame %d: %s", i, frames[i].Title)
		if frames[i].Picture, err = readPicture(path); err != nil {
			return nil, err
		}
	}
	return encodeHeatmap(frames, grid)
}

func encodeHeatmap(frames []heatmap.Frame, grid prune.Grid) ([]byte, error) {
	var b bytes.Buffer
	err := png.Encode(&b, heatmap.Draw(frames, image.Pt(grid.Columns, grid.Rows)))
	return b.Bytes(), err
}

// framesOf is what a selection tells of every frame's grid, on which leading tokens
// have no place. A token merged over frames shows in each of them.
func framesOf(s *prune.Selection, grid prune.Grid) []heatmap.Frame {
	frames := make([]heatmap.Frame, s.T)
	kept := make([]int, s.T)
	for _, token := range s.Kept {
		kept[token.Frame]++
		cells := map[int][]int{}
		for _, source := range token.Sources {
			if t, cell := source.Row/s.P, source.Row%s.P-grid.Leading; cell >= 0 {
				cells[t] = append(cells[t], cell)
			}
		}
		for t, of := range cells {
			frames[t].Kept = append(frames[t].Kept, of)
		}
	}
	for t := range frames {
		frames[t].Title = fmt.Sprintf("%d of %d kept", kept[t], s.P)
		if s.Relevance != nil {
			frames[t].Relevance = s.Relevance[t*s.P+grid.Leading : (t+1)*s.P]
		}
	}
	return frames
}

func readPicture(path string) (image.Image, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	picture, _, err := image.Decode(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w: want PNG or JPEG", path, err)
	}
	return picture, nil
}
