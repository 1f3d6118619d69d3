package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image/png"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/winnow-video/winnow/decode/client"
	"github.com/winnow-video/winnow/decode/wire"
	"github.com/winnow-video/winnow/workflows/job"
)

const framesLong = `Decode the frames that a model would look at, and draw them as one picture: a contact
sheet with each frame's number and time. Uniform sampling, as jobs do: of total frames,
frame ⌊i·(total−1)/(n−1)⌋ for i in 0…n−1.`

// framesFlags are the flags of `winnow frames`.
type framesFlags struct {
	count  int
	size   int
	resize string
	out    string
	asJSON bool
	limits job.Limits
}

func (a *app) framesCommand() *cobra.Command {
	var f framesFlags
	c := &cobra.Command{
		Use: "frames VIDEO", Short: "Draw the sampled frames of a video as a contact sheet", Long: framesLong,
		Example: "  winnow frames clip.mp4 --count 8 --out clip.png\n  winnow frames clip.mp4 --json",
		Args:    exactArgs("VIDEO"),
	}
	c.Flags().IntVar(&f.count, "count", 8, "frames")
	c.Flags().IntVar(&f.size, "size", 0, "edge of the square that the model sees; 0 draws frames as they are")
	c.Flags().StringVar(&f.resize, "resize", string(wire.ShortestCrop), "how a frame becomes a square: shortest_crop, squash, pad")
	c.Flags().StringVar(&f.out, "out", "", "PNG to write (default: VIDEO's name with .png, here)")
	c.Flags().BoolVar(&f.asJSON, "json", false, "print indices and times as JSON; a picture is drawn only with --out")
	bindLimits(c.Flags(), &f.limits)
	c.RunE = func(c *cobra.Command, args []string) error {
		path, err := program("winnow-decode")
		if err != nil {
			return err
		}
		video, err := client.OpenFile(args[0])
		if err != nil {
			return err
		}
		defer video.Close()
		clip, err := client.Decoder{Path: path}.Run(c.Context(), f.request(args[0]), video)
		if err != nil {
			return err
		}
		return a.showFrames(f, args[0], clip)
	}
	return c
}

func (f framesFlags) request(video string) wire.Request {
	return wire.Request{
		Container: filepath.Ext(video), Sampling: wire.Sampling{Count: f.count},
		Image: wire.Image{Size: f.size, Resize: wire.Resize(f.resize)}, Limits: f.limits,
	}
}

func (a *app) showFrames(f framesFlags, video string, clip *client.Clip) error {
	if f.asJSON {
		if err := a.printFrames(video, clip); err != nil || f.out == "" {
			return err
		}
	}
	if f.out == "" {
		base := filepath.Base(video)
		f.out = strings.TrimSuffix(base, filepath.Ext(base)) + ".png"
	}
	var picture bytes.Buffer
	if err := png.Encode(&picture, contactSheet(clip)); err != nil {
		return err
	}
	if err := writeWhole(f.out, picture.Bytes()); err != nil {
		return err
	}
	if !f.asJSON {
		fmt.Fprintf(a.out, "%s: %d frames\n", f.out, len(clip.Index))
	}
	return nil
}

// frameInfo is one frame of `winnow frames --json`.
type frameInfo struct {
	Index int64   `json:"index"`
	PTS   float64 `json:"pts_s"`
}

func (a *app) printFrames(video string, clip *client.Clip) error {
	frames := make([]frameInfo, len(clip.Index))
	for i := range frames {
		frames[i] = frameInfo{clip.Index[i], clip.PTS[i]}
	}
	return json.NewEncoder(a.out).Encode(map[string]any{"video": video, "info": clip.Info, "frames": frames})
}
