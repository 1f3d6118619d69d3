package main_test

import (
	"bytes"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/winnow-video/winnow/decode/client"
	"github.com/winnow-video/winnow/decode/resize"
	"github.com/winnow-video/winnow/decode/wire"
)

// uniform is numpy's linspace(0, total-1, min(total, n), dtype=int).
func uniform(total, n int) []int64 {
	n = min(total, n)
	picks := make([]int64, n)
	for i := 1; i < n; i++ {
		picks[i] = int64(float64(i) * (float64(total-1) / float64(n-1)))
	}
	if n > 1 {
		picks[n-1] = int64(total - 1)
	}
	return picks
}

// Over codecs, containers and GOP shapes: every frame is there once, in order, at its
// time; and a sample is bit for bit what decoding everything and picking gives.
func TestSampleEqualsDecodingEverythingAndPicking(t *testing.T) {
	t.Parallel()
	const n = 100
	for _, c := range []struct{ name, args string }{
		{"bframes.mp4", "-c:v libx264 -g 30 -bf 3 -pix_fmt yuv420p"},
		{"one-gop.mp4", "-c:v libx264 -g 250 -bf 2 -pix_fmt yuv420p -movflags +faststart"},
		{"open-gop.mkv", "-c:v libx264 -x264-params keyint=20:open-gop=1:bframes=3 -pix_fmt yuv420p"},
		{"pyramid.mp4", "-c:v libx264 -x264-params keyint=50:bframes=8:b-pyramid=normal:ref=5 -pix_fmt yuv420p"},
		{"intra-refresh.mp4", "-c:v libx264 -x264-params keyint=25:intra-refresh=1 -pix_fmt yuv420p"},
		{"interlaced.mkv", "-c:v libx264 -x264-params interlaced=1:keyint=30:bframes=2 -pix_fmt yuv420p"},
		{"negative.ts", "-c:v libx264 -g 30 -bf 2 -pix_fmt yuv420p -output_ts_offset -0.4 -avoid_negative_ts disabled"},
		{"fragmented.mp4", "-c:v libx264 -g 25 -pix_fmt yuv420p -movflags +frag_keyframe+empty_moov"},
		{"h264.ts", "-c:v libx264 -g 30 -bf 2 -pix_fmt yuv420p"},
		{"h264.flv", "-c:v libx264 -g 30 -bf 2 -pix_fmt yuv420p"},
		{"intra.mov", "-c:v libx264 -g 1 -pix_fmt yuv444p"},
		{"hevc.mp4", "-c:v libx265 -x265-params log-level=error:keyint=30:bframes=3 -preset ultrafast -pix_fmt yuv420p"},
		{"hevc-open-gop.mp4", "-c:v libx265 -x265-params log-level=error:keyint=20:open-gop=1:bframes=4 -preset ultrafast -pix_fmt yuv420p"},
		{"hevc10.mkv", "-c:v libx265 -x265-params log-level=error:keyint=40 -preset ultrafast -pix_fmt yuv420p10le"},
		{"vp9.webm", "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -g 30 -auto-alt-ref 1 -lag-in-frames 16 -b:v 300k"},
		{"vp8.webm", "-c:v libvpx -deadline good -cpu-used 5 -g 30 -auto-alt-ref 1 -lag-in-frames 16 -b:v 300k"},
		{"vp9.mp4", "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -g 30 -auto-alt-ref 1 -lag-in-frames 16 -b:v 300k"},
		{"av1.mkv", "-c:v libaom-av1 -cpu-used 8 -usage realtime -g 40 -b:v 300k"},
		{"av1.mp4", "-c:v libaom-av1 -cpu-used 8 -usage realtime -g 30 -b:v 300k"},
		{"mpeg4.avi", "-c:v mpeg4 -g 12 -bf 2 -q:v 3"},
		{"packed.avi", "-c:v mpeg4 -g 12 -q:v 3"},
		{"mpeg2.ts", "-c:v mpeg2video -g 12 -bf 2 -q:v 3"},
		{"mpeg2.mpg", "-c:v mpeg2video -g 12 -bf 2 -q:v 3"},
		{"mpeg1.mpg", "-c:v mpeg1video -g 12 -bf 2 -q:v 3"},
		{"prores.mov", "-c:v prores"},
		{"mjpeg.avi", "-c:v mjpeg -q:v 3 -pix_fmt yuvj420p"},
		{"flv1.flv", "-c:v flv -g 12 -q:v 3"},
		{"theora.ogv", "-c:v libtheora -g 12 -q:v 7"},
		{"ffv1.mkv", "-c:v ffv1"},
		{"raw.avi", "-c:v rawvideo -pix_fmt yuv420p"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := encode(t, numbered(n), c.name, strings.Fields(c.args)...)
			all := mustDecode(t, path, frames(wire.MaxCount))
			checkNumbered(t, all, n)
			for i, count := range []int{1, 2, 8, 13, 99} {
				req := frames(count)
				req.Threads = i // of 0, one
				checkPicked(t, mustDecode(t, path, req), all, uniform(n, count))
			}
		})
	}
}

// checkNumbered checks that clip is all n frames at a constant rate.
func checkNumbered(t *testing.T, clip *client.Clip, n int) {
	t.Helper()
	if len(clip.Index) != n || clip.Info.TotalFrames != n {
		t.Fatalf("%d frames of %d, want %d", len(clip.Index), clip.Info.TotalFrames, n)
	}
	const slack = 0.0006 // half of what Matroska's and FLV's clocks resolve
	for i := range n {
		if got := numberOf(clip, i); got != i || clip.Index[i] != int64(i) {
			t.Fatalf("frame %d shows %d and has index %d", i, got, clip.Index[i])
		}
		if want := float64(i) / rate; math.Abs(clip.PTS[i]-want) > slack {
			t.Fatalf("frame %d is at %v s, want %v", i, clip.PTS[i], want)
		}
	}
}

// checkPicked checks that clip is the frames of all with the indices want.
func checkPicked(t *testing.T, clip, all *client.Clip, want []int64) {
	t.Helper()
	if diff := cmp.Diff(want, clip.Index); diff != "" {
		t.Fatalf("indices: %s", diff)
	}
	for i, index := range want {
		if !bytes.Equal(frameOf(clip, i), frameOf(all, int(index))) || clip.PTS[i] != all.PTS[index] {
			t.Fatalf("frame %d of a sample of %d differs from frame %d of all", i, len(want), index)
		}
	}
}

// Variable frame rate: five frames' time is skipped after every ten frames.
func TestVariableFrameRateKeepsItsTimes(t *testing.T) {
	t.Parallel()
	const n = 60
	for _, name := range []string{"vfr.mp4", "vfr.mkv"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := encode(t, numbered(n), name, "-vf", "setpts=(N+5*floor(N/10))/(30*TB)", "-fps_mode", "passthrough",
				"-c:v", "libx264", "-bf", "2", "-g", "25", "-pix_fmt", "yuv420p")
			all := mustDecode(t, path, frames(wire.MaxCount))
			for i := range n {
				want := float64(i+5*(i/10)) / rate
				if numberOf(all, i) != i || math.Abs(all.PTS[i]-want) > 0.001 {
					t.Fatalf("frame %d shows %d at %v s, want %v", i, numberOf(all, i), all.PTS[i], want)
				}
			}
			checkPicked(t, mustDecode(t, path, frames(7)), all, uniform(n, 7))
		})
	}
}

func TestStartAndEndBoundTheFrames(t *testing.T) {
	t.Parallel()
	path := encode(t, numbered(90), "clip.mp4", "-c:v", "libx264", "-g", "30", "-pix_fmt", "yuv420p")
	at := func(s float64) *float64 { return &s }
	for _, c := range []struct {
		name       string
		start, end *float64
		want       []int64
	}{
		{"start", at(1), nil, []int64{30, 59, 89}},
		{"end", nil, at(1), []int64{0, 15, 30}},
		{"both", at(1), at(2), []int64{30, 45, 60}},
		{"between frames", at(1.001), at(1.999), []int64{31, 45, 59}},
		{"one frame", at(1), at(1), []int64{30}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			req := frames(3)
			req.Start, req.End = c.start, c.end
			clip := mustDecode(t, path, req)
			if diff := cmp.Diff(c.want, clip.Index); diff != "" {
				t.Error(diff)
			}
			for i, index := range clip.Index {
				if numberOf(clip, i) != int(index) {
					t.Errorf("frame %d shows %d", index, numberOf(clip, i))
				}
			}
		})
	}
}

// An edit list hides the frames before the cut: the first one shown is number 0.
func TestFramesHiddenByAnEditListDoNotCount(t *testing.T) {
	t.Parallel()
	whole := encode(t, numbered(60), "whole.mp4", "-c:v", "libx264", "-g", "60", "-bf", "2", "-pix_fmt", "yuv420p")
	cut := strings.TrimSuffix(whole, "whole.mp4") + "cut.mp4"
	ffmpeg(t, nil, "-ss", "0.5", "-i", whole, "-c", "copy", cut)
	clip := mustDecode(t, cut, frames(wire.MaxCount))
	if clip.Info.TotalFrames != 45 || len(clip.Index) != 45 {
		t.Fatalf("%d frames of %d, want 45", len(clip.Index), clip.Info.TotalFrames)
	}
	for i := range clip.Index {
		if numberOf(clip, i) != 15+i || clip.Index[i] != int64(i) {
			t.Fatalf("frame %d shows %d, want %d", i, numberOf(clip, i), 15+i)
		}
	}
	if clip.PTS[0] != 0 {
		t.Errorf("the first frame shown is at %v s", clip.PTS[0])
	}
}

// Frames of a size are the native ones, resized as the encoders' training did.
func TestFramesAreResizedAsAsked(t *testing.T) {
	t.Parallel()
	path := encode(t, numbered(10), "clip.mp4", "-c:v", "libx264", "-pix_fmt", "yuv420p")
	native := mustDecode(t, path, frames(4))
	for _, mode := range []wire.Resize{wire.ShortestCrop, wire.Squash, wire.Pad} {
		req := frames(4)
		req.Image = wire.Image{Size: 96, Resize: mode, Fill: [3]uint8{10, 200, 60}}
		clip := mustDecode(t, path, req)
		for i := range clip.Index {
			src := resize.Image{W: clipW, H: clipH, Pix: frameOf(native, i)}
			want, err := resize.Square(src, 96, resize.Mode(mode), req.Image.Fill)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(frameOf(clip, i), want.Pix) {
				t.Errorf("%s: frame %d differs", mode, i)
			}
		}
	}
}
