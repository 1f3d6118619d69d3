package wire

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/winnow-video/winnow/workflows/job"
)

// maxRequest bounds a request's length in bytes.
const maxRequest = 1 << 20

// Request asks for one clip.
type Request struct {
	V            int        `json:"v"`
	Size         int64      `json:"size"`                    // of the source, bytes
	Local        bool       `json:"local,omitempty"`         // fd 4 is the source
	Container    string     `json:"container,omitempty"`     // a hint: the file name's extension, as ".mp4"
	Start        *float64   `json:"start,omitempty"`         // seconds from the first frame; nil: the first frame
	End          *float64   `json:"end,omitempty"`           // seconds from the first frame, included; nil: the last frame
	Sampling     Sampling   `json:"sampling"`                //
	Image        Image      `json:"image"`                   //
	Color        job.Color  `json:"color,omitempty"`         // default job.ColorTagged
	Limits       job.Limits `json:"limits"`                  // zero fields: their defaults
	AllowPartial bool       `json:"allow_partial,omitempty"` // good frames of a damaged video are a clip, marked as degraded
	Hwaccel      Hwaccel    `json:"hwaccel,omitempty"`       // default HwaccelNone
	Threads      int        `json:"threads,omitempty"`       // groups of pictures decoded at once, at most; default 1. The clip is the same
}

// Sampling says which frames a clip has.
type Sampling struct {
	Strategy job.Strategy `json:"strategy,omitempty"` // default job.StrategyUniform
	Count    int          `json:"count"`              // frames at most
	FPS      float64      `json:"fps,omitempty"`      // frames a second, of job.StrategyFPS
}

// MaxCount bounds Sampling.Count.
const MaxCount = 4096

// Resize names how a frame becomes a square of Image.Size; see decode/resize.
type Resize string

// The resizes.
const (
	ShortestCrop Resize = "shortest_crop" // scale the shorter edge to Size, crop the centre
	Squash       Resize = "squash"        // scale both edges to Size
	Pad          Resize = "pad"           // put on a square of colour Fill, scale that to Size
)

// Image says what a frame looks like in the clip.
type Image struct {
	Size   int      `json:"size"`             // edge of the square, pixels; 0: frames keep their size
	Resize Resize   `json:"resize,omitempty"` // default ShortestCrop
	Fill   [3]uint8 `json:"fill"`             // red, green, blue of what Pad adds
}

// MaxSize bounds Image.Size.
const MaxSize = 4096

// MaxThreads bounds Threads.
const MaxThreads = 64

// WithDefaults fills in what was left out.
func (r Request) WithDefaults() Request {
	if r.Sampling.Strategy == "" {
		r.Sampling.Strategy = job.StrategyUniform
	}
	if r.Image.Resize == "" {
		r.Image.Resize = ShortestCrop
	}
	if r.Color == "" {
		r.Color = job.ColorTagged
	}
	if r.Hwaccel == "" {
		r.Hwaccel = HwaccelNone
	}
	if r.Threads == 0 {
		r.Threads = 1
	}
	r.Limits = job.Spec{Limits: r.Limits}.WithDefaults().Limits
	return r
}

// Validate checks a request with its defaults filled in; the failure names the field.
func (r Request) Validate() error {
	if r.V != Version {
		return job.Fail(job.StageDecode, job.InternalVersion, "request of version %d, this build reads version %d", r.V, Version)
	}
	for _, c := range []struct {
		ok   bool
		what string
	}{
		{r.Size >= 0, fmt.Sprintf("size: %d is negative", r.Size)},
		{seconds(r.Start), "start: want a number of seconds, 0 or more"},
		{seconds(r.End), "end: want a number of seconds, 0 or more"},
		{r.Start == nil || r.End == nil || *r.Start <= *r.End, "end: lies before start"},
		{slices.Contains(job.Strategies(), r.Sampling.Strategy), fmt.Sprintf("sampling.strategy: %q: want one of %v", r.Sampling.Strategy, job.Strategies())},
		{rate(r.Sampling), fmt.Sprintf("sampling.fps: %g: want 0.001 to 1000 with strategy fps, and none with another", r.Sampling.FPS)},
		{1 <= r.Sampling.Count && r.Sampling.Count <= MaxCount, fmt.Sprintf("sampling.count: %d: want 1 to %d", r.Sampling.Count, MaxCount)},
		{0 <= r.Image.Size && r.Image.Size <= MaxSize, fmt.Sprintf("image.size: %d: want 0 to %d", r.Image.Size, MaxSize)},
		{slices.Contains(resizes(), r.Image.Resize), fmt.Sprintf("image.resize: %q: want one of %v", r.Image.Resize, resizes())},
		{slices.Contains(job.Colors(), r.Color), fmt.Sprintf("color: %q: want one of %v", r.Color, job.Colors())},
		{r.Hwaccel.Validate() == nil, fmt.Sprint(r.Hwaccel.Validate())},
		{1 <= r.Threads && r.Threads <= MaxThreads, fmt.Sprintf("threads: %d: want 1 to %d", r.Threads, MaxThreads)},
		{r.Limits.Pixels > 0, "limits.pixels: want more than 0"},
		{r.Limits.Duration > 0, "limits.duration: want more than 0"},
		{r.Limits.Bytes > 0, "limits.bytes: want more than 0"},
		{r.Limits.DecodeErrors >= 0, "limits.decode_errors: want 0 or more"},
		{r.Limits.Wall > 0, "limits.wall: want more than 0"},
		{r.Limits.Memory > 0, "limits.memory: want more than 0"},
	} {
		if !c.ok {
			return job.Fail(job.StageDecode, job.ConfigInvalid, "decode request: %s", c.what)
		}
	}
	return nil
}

func resizes() []Resize { return []Resize{ShortestCrop, Squash, Pad} }

func rate(s Sampling) bool {
	if s.Strategy != job.StrategyFPS {
		return s.FPS == 0
	}
	return 1e-3 <= s.FPS && s.FPS <= 1000
}

func seconds(s *float64) bool {
	return s == nil || (*s >= 0 && !math.IsInf(*s, 0) && !math.IsNaN(*s))
}

// ReadRequest reads one request, fills in its defaults and validates it.
func ReadRequest(r io.Reader) (Request, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxRequest+1))
	if err != nil {
		return Request{}, fmt.Errorf("decode request: %w", err)
	}
	if len(text) > maxRequest {
		return Request{}, badRequest("longer than %d bytes", maxRequest)
	}
	var head struct {
		V int `json:"v"`
	}
	if err := json.Unmarshal(text, &head); err != nil {
		return Request{}, badRequest("%v", err)
	}
	req := Request{V: head.V}
	if head.V == Version { // fields of another version are not ours to judge
		strict := json.NewDecoder(bytes.NewReader(text))
		strict.DisallowUnknownFields()
		if err := strict.Decode(&req); err != nil {
			return Request{}, badRequest("%s", strings.TrimPrefix(err.Error(), "json: "))
		}
	}
	req = req.WithDefaults()
	return req, req.Validate()
}

func badRequest(format string, args ...any) error {
	return job.Fail(job.StageDecode, job.ConfigInvalid, "decode request: "+format, args...)
}

// WriteRequest writes r as ReadRequest reads it.
func WriteRequest(w io.Writer, r Request) error {
	return json.NewEncoder(w).Encode(r)
}
