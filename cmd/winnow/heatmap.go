package main

import (
	"bytes"
	"fmt"
	"image"
	_ "image/jpeg" // what image.Decode reads, beside PNG
	"image/png"
	"math"
	"os"

	"github.com/winnow-video/winnow/cmd/winnow/heatmap"
	"github.com/winnow-video/winnow/prune"
)

// drawHeatmap draws a selection over the pictures of its frames: a PNG.
func drawHeatmap(s *prune.Selection, pictures []string) ([]byte, error) {
	if len(pictures) != s.T {
		return nil, fmt.Errorf("%d %s, but tokens of %d %s: give --heatmap once a frame, in order",
			len(pictures), plural(len(pictures), "picture"), s.T, plural(s.T, "frame"))
	}
	grid, err := squareGrid(s.P)
	if err != nil {
		return nil, err
	}
	frames := framesOf(s)
	for i, path := range pictures {
		frames[i].Title = fmt.Sprintf("frame %d: %s", i, frames[i].Title)
		if frames[i].Picture, err = readPicture(path); err != nil {
			return nil, err
		}
	}
	return encodeHeatmap(frames, grid)
}

func encodeHeatmap(frames []heatmap.Frame, grid image.Point) ([]byte, error) {
	var b bytes.Buffer
	err := png.Encode(&b, heatmap.Draw(frames, grid))
	return b.Bytes(), err
}

// squareGrid is the grid of a frame of n tokens, in cells.
func squareGrid(n int) (image.Point, error) {
	edge := int(math.Sqrt(float64(n)))
	if edge*edge != n {
		return image.Point{}, fmt.Errorf("the %d tokens of a frame make no square grid", n)
	}
	return image.Pt(edge, edge), nil
}

// framesOf is what a selection tells of every frame. A token merged over frames
// shows in each of them.
func framesOf(s *prune.Selection) []heatmap.Frame {
	frames := make([]heatmap.Frame, s.T)
	kept := make([]int, s.T)
	for _, token := range s.Kept {
		kept[token.Frame]++
		cells := map[int][]int{}
		for _, source := range token.Sources {
			cells[source.Row/s.P] = append(cells[source.Row/s.P], source.Row%s.P)
		}
		for t, of := range cells {
			frames[t].Kept = append(frames[t].Kept, of)
		}
	}
	for t := range frames {
		frames[t].Title = fmt.Sprintf("%d of %d kept", kept[t], s.P)
		if s.Relevance != nil {
			frames[t].Relevance = s.Relevance[t*s.P : (t+1)*s.P]
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
