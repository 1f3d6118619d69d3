package main_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/winnow-video/winnow/decode/wire"
	"github.com/winnow-video/winnow/workflows/job"
)

// Where no device can, the child itself falls back: the same clip, and the reason beside it.
func TestHwaccelFallsBack(t *testing.T) {
	t.Parallel()
	path := h264(t, "clip.mp4")
	want := mustDecode(t, path, frames(8))
	for _, asked := range []wire.Hwaccel{wire.HwaccelAuto, wire.HwaccelCUDA, wire.HwaccelVAAPI} {
		req := frames(8)
		req.Hwaccel = asked
		got := mustDecode(t, path, req)
		if got.Info.Hwaccel != "" {
			t.Logf("decoded by %s", got.Info.Hwaccel) // a device is here
			continue
		}
		for _, device := range asked.Devices() {
			if !strings.Contains(got.Info.HwaccelFallback, string(device)+": ") {
				t.Errorf("%s: the reason is %q", asked, got.Info.HwaccelFallback)
			}
		}
		t.Log(got.Info.HwaccelFallback)
		want.Info.HwaccelFallback = got.Info.HwaccelFallback
		if diff := cmp.Diff(want.Info, got.Info); diff != "" {
			t.Errorf("%s: %s", asked, diff)
		}
		if diff := cmp.Diff(want.Frames, got.Frames); diff != "" || !cmp.Equal(want.PTS, got.PTS) {
			t.Errorf("%s: other frames", asked)
		}
	}
}

// What is wrong with a video is told the same, whatever was asked for.
func TestHwaccelChangesNoFailure(t *testing.T) {
	t.Parallel()
	req := frames(4)
	req.Hwaccel = wire.HwaccelAuto
	_, err := decodeFile(t, writeFile(t, "text.mp4", []byte(strings.Repeat("no video\n", 400))), req)
	wantCode(t, err, job.InputNotVideo)
	whole := read(t, h264(t, "whole.mkv"))
	_, err = decodeFile(t, writeFile(t, "cut.mkv", whole[:len(whole)/2]), req)
	wantCode(t, err, job.InputTruncated)
}
