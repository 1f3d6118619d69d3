package main_test

import (
	"bytes"
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/winnow-video/winnow/decode/client"
	"github.com/winnow-video/winnow/decode/wire"
	"github.com/winnow-video/winnow/workflows/job"
)

// wantCode checks that err is a failure of one of the codes.
func wantCode(t *testing.T, err error, codes ...job.Code) {
	t.Helper()
	var failure *job.Failure
	if !errors.As(err, &failure) {
		t.Fatalf("%v, want a failure of %v", err, codes)
	}
	for _, code := range codes {
		if failure.Code == code {
			return
		}
	}
	t.Errorf("%v, want %v", failure, codes)
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

const plainH264 = "-c:v libx264 -g 30 -bf 2 -pix_fmt yuv420p"

func h264(t *testing.T, name string, more ...string) string {
	t.Helper()
	return encode(t, numbered(90), name, append(strings.Fields(plainH264), more...)...)
}

func TestMissingFile(t *testing.T) {
	t.Parallel()
	_, err := decodeFile(t, filepath.Join(t.TempDir(), "absent.mp4"), frames(1))
	wantCode(t, err, job.InputMissing)
}

func TestNotAVideo(t *testing.T) {
	t.Parallel()
	noise := make([]byte, 100_000)
	for i := range noise {
		noise[i] = byte(i * i * 31 >> 5)
	}
	for _, c := range []struct {
		name    string
		content []byte
		code    job.Code
	}{
		{"empty.mp4", nil, job.InputEmpty},
		{"one-byte.mp4", []byte{0}, job.InputNotVideo},
		{"text.mp4", []byte(strings.Repeat("Not a video, but a text.\n", 400)), job.InputNotVideo},
		{"page.webm", []byte("<!DOCTYPE html><html><body>404 Not Found</body></html>"), job.InputNotVideo},
		{"zeros.mp4", make([]byte, 100_000), job.InputNotVideo},
		{"noise.avi", noise, job.InputNotVideo},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := decodeFile(t, writeFile(t, c.name, c.content), frames(4))
			wantCode(t, err, c.code)
		})
	}
}

func TestAudioOnly(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, codec string }{{"a.m4a", "aac"}, {"a.ogg", "libvorbis"}, {"a.mka", "flac"}, {"a.ts", "mp2"}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), c.name)
			ffmpeg(t, nil, "-f", "lavfi", "-i", "sine=d=1", "-c:a", c.codec, path)
			_, err := decodeFile(t, path, frames(4))
			wantCode(t, err, job.InputNoVideo)
		})
	}
}

func TestNoFrames(t *testing.T) {
	t.Parallel()
	t.Run("zero frames", func(t *testing.T) {
		t.Parallel()
		fragmented := read(t, h264(t, "whole.mp4", "-movflags", "+empty_moov+frag_keyframe"))
		head := fragmented[:bytes.Index(fragmented, []byte("moof"))-4] // a track that was declared, and nothing in it
		_, err := decodeFile(t, writeFile(t, "zero.mp4", head), frames(4))
		wantCode(t, err, job.InputNoFrames)
	})
	t.Run("none between start and end", func(t *testing.T) {
		t.Parallel()
		req, start := frames(4), 60.0
		req.Start = &start
		_, err := decodeFile(t, h264(t, "short.mp4"), req)
		wantCode(t, err, job.InputNoFrames)
	})
}

// A file that ends before its last frame fails; with allow_partial, what is left is a
// clip that says so, where anything can be decoded.
func TestTruncated(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		args    []string
		partial bool
	}{
		{"index-last.mp4", nil, false},
		{"index-first.mp4", []string{"-movflags", "+faststart"}, true},
		{"t.mkv", nil, true},
		{"t.avi", []string{"-c:v", "mpeg4"}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			whole := read(t, h264(t, c.name, c.args...))
			cut := writeFile(t, c.name, whole[:len(whole)*6/10])
			_, err := decodeFile(t, cut, frames(8))
			wantCode(t, err, job.InputTruncated)

			req := frames(8)
			req.AllowPartial = true
			clip, err := decodeFile(t, cut, req)
			if !c.partial {
				wantCode(t, err, job.InputTruncated)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			checkPartial(t, clip)
		})
	}
}

// checkPartial checks that a clip says that it is partial, and shows nothing twice or wrongly.
func checkPartial(t *testing.T, clip *client.Clip) {
	t.Helper()
	if len(clip.Info.Degraded) != 1 || clip.Info.Degraded[0] != job.DegradedPartialFrames {
		t.Errorf("degraded: %v", clip.Info.Degraded)
	}
	for i, pts := range clip.PTS { // frames that the container lost have no index, so the time tells which one it is
		if got, want := numberOf(clip, i), int(math.Round(pts*rate)); got != want {
			t.Errorf("the frame at %v s shows %d, want %d", pts, got, want)
		}
	}
}

// Damage in the middle is never answered with damaged pixels.
func TestCorruptMiddle(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"c.mp4", "c.mkv", "c.ts"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			content := read(t, h264(t, name))
			for i := range 400 {
				content[len(content)*4/10+i] ^= byte(0x55 + i)
			}
			path := writeFile(t, name, content)
			req := frames(wire.MaxCount)
			_, alone := decodeFile(t, path, req)
			wantCode(t, alone, job.InputCorrupt)
			req.AllowPartial = true
			clip := mustDecode(t, path, req)
			checkPartial(t, clip)
			for threads := range 5 {
				req.Threads = threads
				req.AllowPartial = false
				if _, err := decodeFile(t, path, req); err == nil || err.Error() != alone.Error() {
					t.Errorf("%d threads: %v, one: %v", req.Threads, err, alone)
				}
				req.AllowPartial = true
				if got := mustDecode(t, path, req); !bytes.Equal(got.Bytes, clip.Bytes) {
					t.Errorf("%d threads: another clip", req.Threads)
				}
			}
		})
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	path := h264(t, "clip.mp4")
	for _, c := range []struct {
		name   string
		limits job.Limits
		want   string
	}{
		{"pixels", job.Limits{Pixels: clipW*clipH - 1}, "limits.pixels"},
		{"duration", job.Limits{Duration: 2 * time.Second}, "limits.duration"},
		{"bytes", job.Limits{Bytes: 100}, "limits.bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			req := frames(1)
			req.Limits = c.limits
			_, err := decodeFile(t, path, req)
			wantCode(t, err, job.InputTooLarge)
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v does not name %s", err, c.want)
			}
		})
	}
}

// A clip larger than the memory allowed ends the child, not the parent.
func TestMemoryLimit(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "large.mp4")
	ffmpeg(t, nil, "-f", "lavfi", "-i", "testsrc=s=1280x720:d=4", "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", path)
	req := frames(wire.MaxCount) // 100 frames of 2.8 MB
	req.Limits.Memory = 96 << 20
	_, err := decodeFile(t, path, req)
	wantCode(t, err, job.InputMemory)
}

// holding is a source that, once it is asked, tells so and answers when ctx ends.
type holding struct {
	client.Source
	asked chan struct{}
}

func (h holding) ReadRange(ctx context.Context, _ []byte, _ int64) error {
	close(h.asked)
	<-ctx.Done()
	return ctx.Err()
}

func TestCanceledWhileItReads(t *testing.T) {
	t.Parallel()
	src, err := client.OpenFile(h264(t, "clip.mp4"))
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	ctx, cancel := context.WithCancel(t.Context())
	held := holding{src, make(chan struct{})}
	go func() { <-held.asked; cancel() }()
	if _, err := decoder(t).Run(ctx, frames(1), held); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want context.Canceled", err)
	}
}

// The source's own failure is what Run returns, not what the child makes of it.
type changing struct{ client.Source }

func (changing) ReadRange(context.Context, []byte, int64) error {
	return job.Fail(job.StageFetch, job.InputChanged, "it changed")
}

func TestSourceThatChanges(t *testing.T) {
	t.Parallel()
	src, err := client.OpenFile(h264(t, "clip.mp4"))
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	_, err = decoder(t).Run(t.Context(), frames(1), changing{src})
	wantCode(t, err, job.InputChanged)
}

// A frame of extreme shape is cheap, but for a square around it.
func TestExtremeShape(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "long.png")
	ffmpeg(t, nil, "-f", "lavfi", "-i", "testsrc=s=24000x2", "-frames:v", "1", path)
	for _, c := range []struct {
		resize wire.Resize
		refuse bool
	}{{wire.ShortestCrop, false}, {wire.Squash, false}, {wire.Pad, true}} {
		req := frames(1)
		req.Image = wire.Image{Size: 96, Resize: c.resize}
		_, err := decodeFile(t, path, req)
		if c.refuse {
			wantCode(t, err, job.InputTooLarge)
		} else if err != nil {
			t.Errorf("%s: %v", c.resize, err)
		}
	}
}
