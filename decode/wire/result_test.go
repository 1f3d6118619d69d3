package wire

import (
	"bytes"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/winnow-video/winnow/infer/tensor"
	"github.com/winnow-video/winnow/workflows/job"
)

// small is a clip of two frames of 2 × 1 pixels.
func small() *tensor.File {
	frames := tensor.Dense[uint8]{Shape: tensor.Shape{2, 1, 2, 3}, Data: []uint8{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}}
	return File(frames, []int64{0, 7}, []float64{0, 0.25}, smallInfo())
}

func smallInfo() Info {
	return Info{
		TotalFrames: 8, DurationS: 0.3, Width: 2, Height: 1, FPS: 29.97, Codec: "h264", Container: "mov",
		Rotation: 90, Decoder: "d", Degraded: []string{job.DegradedPartialFrames},
	}
}

func written(t testing.TB, f *tensor.File) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := WriteClip(&b, f, 5); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestClipIsReadAsWritten(t *testing.T) {
	t.Parallel()
	file := small()
	got, read, err := ReadResult(bytes.NewReader(written(t, file)), 1<<20)
	if err != nil || read != 5 {
		t.Fatal(read, err)
	}
	clip, err := ParseClip(got)
	if err != nil {
		t.Fatal(err)
	}
	want, err := tensor.Encode(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, clip.Bytes); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(smallInfo(), clip.Info); diff != "" {
		t.Error(diff)
	}
	if clip.Index[1] != 7 || clip.PTS[1] != 0.25 || clip.Frames.Data[11] != 12 {
		t.Errorf("index %v, times %v, frames %v", clip.Index, clip.PTS, clip.Frames)
	}
}

func TestFailureIsReadAsWritten(t *testing.T) {
	t.Parallel()
	want := job.Fail(job.StageDecode, job.InputNoVideo, "no video")
	var b bytes.Buffer
	if err := WriteFailure(&b, want); err != nil {
		t.Fatal(err)
	}
	_, _, err := ReadResult(&b, 0)
	var got *job.Failure
	if !errors.As(err, &got) {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// A result is whole or none: every cut, and every changed bit of the clip, is noticed.
func TestResultIsWholeOrNone(t *testing.T) {
	t.Parallel()
	whole := written(t, small())
	for n := range whole {
		if _, _, err := ReadResult(bytes.NewReader(whole[:n]), 1<<20); err == nil {
			t.Fatalf("%d of %d bytes were taken for a result", n, len(whole))
		}
		changed := bytes.Clone(whole)
		changed[n] ^= 1
		if clip, _, err := ReadResult(bytes.NewReader(changed), 1<<20); err == nil && !bytes.Contains(whole, clip) {
			t.Fatalf("a change of byte %d went unnoticed", n)
		}
	}
	if _, _, err := ReadResult(bytes.NewReader(append(whole, 0)), 1<<20); err == nil {
		t.Error("a byte after the trailer went unnoticed")
	}
	if _, _, err := ReadResult(bytes.NewReader(whole), 16); err == nil {
		t.Error("a clip over the limit was read")
	}
}

func TestParseClipRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(*tensor.File)
	}{
		{"version", func(f *tensor.File) { f.Metadata["v"] = "2" }},
		{"number", func(f *tensor.File) { f.Metadata["width"] = "wide" }},
		{"no frames", func(f *tensor.File) { delete(f.Tensors, "frames") }},
		{"no index", func(f *tensor.File) { delete(f.Tensors, "index") }},
		{"no times", func(f *tensor.File) { delete(f.Tensors, "pts_s") }},
		{"fewer times", func(f *tensor.File) {
			tensor.Put(f, "pts_s", tensor.Dense[float64]{Shape: tensor.Shape{1}, Data: []float64{0}})
		}},
		{"order", func(f *tensor.File) {
			tensor.Put(f, "index", tensor.Dense[int64]{Shape: tensor.Shape{2}, Data: []int64{7, 0}})
		}},
		{"shape", func(f *tensor.File) { tensor.Put(f, "frames", tensor.New[uint8](2, 6)) }},
	} {
		f := small()
		c.change(f)
		b, err := tensor.Encode(f)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ParseClip(b); err == nil {
			t.Errorf("%s: was taken for a clip", c.name)
		}
	}
}

func FuzzReadResult(f *testing.F) {
	f.Add(written(f, small()))
	var failed bytes.Buffer
	if err := WriteFailure(&failed, job.Fail(job.StageDecode, job.InputEmpty, "empty")); err != nil {
		f.Fatal(err)
	}
	f.Add(failed.Bytes())
	f.Fuzz(func(t *testing.T, result []byte) {
		clip, _, err := ReadResult(bytes.NewReader(result), 1<<20)
		if err != nil {
			return
		}
		if !bytes.Contains(result, clip) {
			t.Error("a clip that was not sent")
		}
		if parsed, err := ParseClip(clip); err == nil && len(parsed.Index) != parsed.Frames.Shape[0] {
			t.Error("a clip of two lengths")
		}
	})
}

func FuzzParseClip(f *testing.F) {
	b, err := tensor.Encode(small())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		clip, err := ParseClip(b)
		if err != nil {
			return
		}
		s := clip.Frames.Shape
		if len(clip.Frames.Data) != s[0]*s[1]*s[2]*3 || len(clip.Index) != s[0] || len(clip.PTS) != s[0] {
			t.Errorf("frames %v of %d bytes, %d indices, %d times", s, len(clip.Frames.Data), len(clip.Index), len(clip.PTS))
		}
	})
}
