package main_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/winnow-video/winnow/decode/wire"
	"github.com/winnow-video/winnow/workflows/job"
)

// shots are frames of one level each; of a shot all but the first are a little noisy.
func shots(lengths []int, levels []byte) []byte {
	var raw []byte
	for i, n := range lengths {
		for frame := range n {
			for p := range clipW * clipH * 3 {
				raw = append(raw, levels[i]+byte(frame*p%3))
			}
		}
	}
	return raw
}

// Every strategy chooses the frames that its formula names, and they are bit for bit
// what decoding everything and picking gives: where packets tell the times (H.264, VP9)
// and where they do not (MPEG-4 part 2).
func TestStrategies(t *testing.T) {
	t.Parallel()
	raw := shots([]int{20, 15, 40, 15}, []byte{40, 200, 90, 160})
	for _, c := range []struct {
		name, args string
		keys       []int64
	}{
		{"s.mp4", "-c:v libx264 -x264-params keyint=40:min-keyint=40:scenecut=0:bframes=2 -pix_fmt yuv420p", []int64{0, 40, 80}},
		{"s.webm", "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -g 40 -keyint_min 40 -b:v 1M", []int64{0, 40, 80}},
		{"s.avi", "-c:v mpeg4 -g 30 -bf 2 -sc_threshold 1000000000 -q:v 3", []int64{0, 30, 60, 89}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := encode(t, raw, c.name, strings.Fields(c.args)...)
			all := mustDecode(t, path, frames(wire.MaxCount))
			for _, s := range []struct {
				sampling wire.Sampling
				want     []int64
			}{
				{wire.Sampling{Strategy: job.StrategyFPS, FPS: 2, Count: 64}, []int64{0, 15, 30, 45, 60, 75}},
				{wire.Sampling{Strategy: job.StrategyFPS, FPS: 30, Count: 4}, []int64{0, 29, 59, 89}},
				{wire.Sampling{Strategy: job.StrategyKeyframes, Count: 64}, c.keys},
				{wire.Sampling{Strategy: job.StrategyKeyframes, Count: 2}, []int64{c.keys[0], c.keys[len(c.keys)-1]}},
				{wire.Sampling{Strategy: job.StrategyScene, Count: 4}, []int64{0, 20, 35, 75}},
				{wire.Sampling{Strategy: job.StrategyScene, Count: 2}, []int64{0, 20}},
				{wire.Sampling{Strategy: job.StrategyScene, Count: 5}, []int64{0, 20, 35, 55, 75}},
			} {
				got := mustDecode(t, path, wire.Request{Sampling: s.sampling})
				checkPicked(t, got, all, s.want)
			}
		})
	}
}

func TestStrategiesWithinStartAndEnd(t *testing.T) {
	t.Parallel()
	raw := shots([]int{20, 15, 40, 15}, []byte{40, 200, 90, 160})
	path := encode(t, raw, "s.mp4", strings.Fields("-c:v libx264 -x264-params keyint=40:min-keyint=40:scenecut=0 -pix_fmt yuv420p")...)
	start, end := 1.1, 2.6 // frames 33 to 78
	for _, c := range []struct {
		sampling wire.Sampling
		want     []int64
	}{
		{wire.Sampling{Strategy: job.StrategyFPS, FPS: 1, Count: 64}, []int64{33, 63}},
		{wire.Sampling{Strategy: job.StrategyKeyframes, Count: 64}, []int64{40}},
		{wire.Sampling{Strategy: job.StrategyScene, Count: 3}, []int64{33, 35, 75}},
	} {
		got := mustDecode(t, path, wire.Request{Sampling: c.sampling, Start: &start, End: &end})
		if diff := cmp.Diff(c.want, got.Index); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.sampling.Strategy, diff)
		}
	}
	start, end = 1.5, 2
	_, err := decodeFile(t, path, wire.Request{Sampling: wire.Sampling{Strategy: job.StrategyKeyframes, Count: 8}, Start: &start, End: &end})
	wantCode(t, err, job.InputNoFrames)
}
