package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image/png"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"github.com/winnow-video/winnow/decode/client"
	"github.com/winnow-video/winnow/decode/wire"
	"github.com/winnow-video/winnow/workflows/job"
)

const framesLong = `Decode the frames that a model would look at, and draw them as one picture: a contact
sheet with each frame's number and time. Frames are chosen as jobs choose them, of those
shown in --start..--end:

  uniform    by number: of N frames, ⌊i·(N−1)/(n−1)⌋ for i in 0…n−1
  fps        what is on the screen at every 1/fps seconds; over --count, uniform
  keyframes  those that were stored whole; over --count, evenly many of them
  scene      the first of each scene, by FFmpeg's scene score; then between them

` + hwaccelHelp

// sheetFrames is how many frames are drawn where nothing says how many.
const sheetFrames = 8

// framesFlags are the flags of `winnow frames`.
type framesFlags struct {
	frames job.Frames
	start  float64
	end    float64
	size   int
	resize string
	out    string
	asJSON bool
	limits job.Limits
	device wire.Hwaccel

	threads int
}

// mostThreads are decoded with where nothing says how many: each takes some 30 MB at 720p.
const mostThreads = 4

func (a *app) framesCommand() *cobra.Command {
	var f framesFlags
	c := &cobra.Command{
		Use: "frames VIDEO", Short: "Draw the sampled frames of a video as a contact sheet", Long: framesLong,
		Example: "  winnow frames clip.mp4 --count 8 --out clip.png\n  winnow frames clip.mp4 --strategy scene --start 60 --end 90 --json",
		Args:    exactArgs("VIDEO"),
	}
	c.Flags().IntVar(&f.frames.Count, "count", 0, fmt.Sprintf("frames, at most (default %d; %d with --fps)", sheetFrames, job.DefaultMostFrames))
	bindFrames(c.Flags(), &f.frames)
	c.Flags().Float64Var(&f.start, "start", 0, "seconds from the first frame")
	c.Flags().Float64Var(&f.end, "end", 0, "seconds from the first frame, included; 0 is the last frame")
	c.Flags().IntVar(&f.size, "size", 0, "edge of the square that the model sees; 0 draws frames as they are")
	c.Flags().StringVar(&f.resize, "resize", string(wire.ShortestCrop), "how a frame becomes a square: shortest_crop, squash, pad")
	c.Flags().StringVar(&f.out, "out", "", "PNG to write (default: VIDEO's name with .png, here)")
	c.Flags().BoolVar(&f.asJSON, "json", false, "print indices and times as JSON; a picture is drawn only with --out")
	c.Flags().IntVar(&f.threads, "threads", min(runtime.GOMAXPROCS(0), mostThreads), "groups of pictures decoded at once, at most; the frames are the same")
	bindHwaccel(c.Flags(), &f.device)
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
		req, err := f.request(args[0])
		if err != nil {
			return err
		}
		clip, err := client.Decoder{Path: path}.Run(c.Context(), req, video)
		if err != nil {
			return err
		}
		if why := clip.Info.HwaccelFallback; why != "" {
			a.tell("hwaccel " + why)
		}
		return a.showFrames(f, args[0], clip)
	}
	return c
}

func (f framesFlags) request(video string) (wire.Request, error) {
	frames := f.frames.WithDefaults()
	if frames.Count == 0 {
		frames.Count = sheetFrames
	}
	req := wire.Request{
		Container: filepath.Ext(video), Start: &f.start,
		Sampling: wire.Sampling{Strategy: frames.Strategy, Count: frames.Count, FPS: frames.FPS},
		Image:    wire.Image{Size: f.size, Resize: wire.Resize(f.resize)}, Color: frames.Color, Limits: f.limits, Hwaccel: f.device,
		Threads: f.threads,
	}
	if f.end != 0 {
		req.End = &f.end
	}
	if err := frames.Validate(); err != nil {
		return req, usageError(err)
	}
	return req, nil
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
	if err := writeWhole(output{f.out, picture.Bytes()}); err != nil {
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
	return json.NewEncoder(a.out).Encode(map[string]any{
		"video": video, "info": clip.Info, "frames": frames, "bytes_fetched": clip.Fetched,
	})
}
