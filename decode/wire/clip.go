package wire

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/winnow-video/winnow/infer/tensor"
	"github.com/winnow-video/winnow/workflows/job"
)

// A clip is a safetensors file:
//
//	frames  U8  [T,H,W,3]  red, green, blue
//	index   I64 [T]        of each frame in its stream, in order of presentation, ascending
//	pts_s   F64 [T]        presentation time, seconds from the stream's first frame, ascending
//
// with an Info as its metadata.

// Info is what a clip says of its video.
type Info struct {
	TotalFrames int      `json:"total_frames"`       // in the whole stream
	DurationS   float64  `json:"duration_s"`         // from the first frame to the end of the last, seconds
	Width       int      `json:"width"`              // of a frame as shown, rotation applied, pixels
	Height      int      `json:"height"`             //
	FPS         float64  `json:"fps"`                // mean, frames a second; 0 for an image
	Codec       string   `json:"codec"`              // as FFmpeg names it: h264
	Container   string   `json:"container"`          // as FFmpeg names it: mov,mp4,…
	Rotation    int      `json:"rotation"`           // degrees clockwise that frames were turned by: 0, 90, 180, 270
	Decoder     string   `json:"decoder"`            // build of winnow-decode
	Degraded    []string `json:"degraded,omitempty"` // job.Degraded… values

	Hwaccel         Hwaccel `json:"hwaccel,omitempty"`          // the device that decoded; "" for software
	HwaccelFallback string  `json:"hwaccel_fallback,omitempty"` // why no device that was asked for, or none of those tried first, decoded: "cuda: …; vaapi: …"
}

// Metadata is i as a safetensors file stores it.
func (i Info) Metadata() map[string]string {
	m := map[string]string{
		"v":            strconv.Itoa(Version),
		"total_frames": strconv.Itoa(i.TotalFrames),
		"duration_s":   formatFloat(i.DurationS),
		"width":        strconv.Itoa(i.Width),
		"height":       strconv.Itoa(i.Height),
		"fps":          formatFloat(i.FPS),
		"codec":        i.Codec,
		"container":    i.Container,
		"rotation":     strconv.Itoa(i.Rotation),
		"decoder":      i.Decoder,
	}
	if len(i.Degraded) > 0 {
		m["degraded"] = strings.Join(i.Degraded, ",")
	}
	if i.Hwaccel != "" {
		m["hwaccel"] = string(i.Hwaccel)
	}
	if i.HwaccelFallback != "" {
		m["hwaccel_fallback"] = i.HwaccelFallback
	}
	return m
}

func formatFloat(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }

// ParseInfo reads Metadata.
func ParseInfo(m map[string]string) (Info, error) {
	if v := m["v"]; v != strconv.Itoa(Version) {
		return Info{}, job.Fail(job.StageDecode, job.InternalVersion, "clip of version %q, this build reads version %d", v, Version)
	}
	p := infoParser{m: m}
	info := Info{
		TotalFrames: p.integer("total_frames"), DurationS: p.float("duration_s"),
		Width: p.integer("width"), Height: p.integer("height"), FPS: p.float("fps"),
		Codec: m["codec"], Container: m["container"], Rotation: p.integer("rotation"), Decoder: m["decoder"],
		Hwaccel: Hwaccel(m["hwaccel"]), HwaccelFallback: m["hwaccel_fallback"],
	}
	if degraded := m["degraded"]; degraded != "" {
		info.Degraded = strings.Split(degraded, ",")
	}
	return info, p.err
}

// infoParser keeps the first error.
type infoParser struct {
	m   map[string]string
	err error
}

func (p *infoParser) integer(key string) int {
	n, err := strconv.Atoi(p.m[key])
	p.keep(key, err)
	return n
}

func (p *infoParser) float(key string) float64 {
	f, err := strconv.ParseFloat(p.m[key], 64)
	p.keep(key, err)
	return f
}

func (p *infoParser) keep(key string, err error) {
	if err != nil && p.err == nil {
		p.err = fmt.Errorf("clip: metadata %s: %w", key, err)
	}
}

// Clip is a decoded clip. Its arrays are views into Bytes: treat them as read-only.
type Clip struct {
	Bytes  []byte              // the safetensors file
	Frames tensor.Dense[uint8] // [T,H,W,3]
	Index  []int64             // [T]
	PTS    []float64           // [T], seconds
	Info   Info
}

// ParseClip reads a clip and checks that its parts agree.
func ParseClip(b []byte) (*Clip, error) {
	file, err := tensor.Decode(b)
	if err != nil {
		return nil, fmt.Errorf("clip: %w", err)
	}
	info, err := ParseInfo(file.Metadata)
	if err != nil {
		return nil, err
	}
	frames, err := tensor.Get[uint8](file, "frames")
	if err != nil {
		return nil, fmt.Errorf("clip: %w", err)
	}
	index, err := tensor.Get[int64](file, "index")
	if err != nil {
		return nil, fmt.Errorf("clip: %w", err)
	}
	pts, err := tensor.Get[float64](file, "pts_s")
	if err != nil {
		return nil, fmt.Errorf("clip: %w", err)
	}
	clip := &Clip{Bytes: b, Frames: frames, Index: index.Data, PTS: pts.Data, Info: info}
	return clip, clip.validate()
}

func (c *Clip) validate() error {
	s := c.Frames.Shape
	switch {
	case len(s) != 4 || s[0] == 0 || s[3] != 3:
		return fmt.Errorf("clip: frames %v: want [T,H,W,3]", []int(s))
	case len(c.Index) != s[0] || len(c.PTS) != s[0]:
		return fmt.Errorf("clip: %d frames, %d indices, %d times", s[0], len(c.Index), len(c.PTS))
	case !slices.IsSorted(c.Index) || !slices.IsSorted(c.PTS):
		return fmt.Errorf("clip: frames are not in order of presentation")
	}
	return nil
}

// File is the safetensors file of frames [T,H,W,3], their indices and times.
func File(frames tensor.Dense[uint8], index []int64, pts []float64, info Info) *tensor.File {
	file := &tensor.File{Metadata: info.Metadata()}
	tensor.Put(file, "frames", frames)
	tensor.Put(file, "index", tensor.Dense[int64]{Shape: tensor.Shape{len(index)}, Data: index})
	tensor.Put(file, "pts_s", tensor.Dense[float64]{Shape: tensor.Shape{len(pts)}, Data: pts})
	return file
}
