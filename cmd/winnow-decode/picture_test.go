package main_test

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/winnow-video/winnow/decode/client"
	"github.com/winnow-video/winnow/workflows/job"
)

// patches are four frames of one colour each.
func patches() (raw []byte, colours [][3]int) {
	colours = [][3]int{{200, 40, 40}, {40, 180, 60}, {50, 60, 210}, {235, 235, 235}}
	for _, c := range colours {
		raw = append(raw, bytes.Repeat([]byte{byte(c[0]), byte(c[1]), byte(c[2])}, clipW*clipH)...)
	}
	return raw, colours
}

// What was encoded with a matrix and a range, and tagged so, comes back as it was; an
// untagged stream counts as BT.601.
func TestColoursComeBack(t *testing.T) {
	t.Parallel()
	raw, colours := patches()
	lossless := "-c:v libx264 -qp 0 "
	for _, c := range []struct{ name, args string }{
		{"untagged.mp4", lossless + "-vf scale=out_color_matrix=bt601 -pix_fmt yuv420p"},
		{"bt601.mp4", lossless + "-vf scale=out_color_matrix=bt601 -colorspace smpte170m -pix_fmt yuv420p"},
		{"bt709.mp4", lossless + "-vf scale=out_color_matrix=bt709 -colorspace bt709 -pix_fmt yuv420p"},
		{"bt2020.mp4", lossless + "-vf scale=out_color_matrix=bt2020 -colorspace bt2020nc -pix_fmt yuv420p"},
		{"full.mp4", lossless + "-vf scale=out_color_matrix=bt709:out_range=full -colorspace bt709 -color_range pc -pix_fmt yuv420p"},
		{"422.mp4", lossless + "-vf scale=out_color_matrix=bt709 -colorspace bt709 -pix_fmt yuv422p"},
		{"10-bit.mp4", lossless + "-vf scale=out_color_matrix=bt709 -colorspace bt709 -pix_fmt yuv420p10le"},
		{"jpeg.avi", "-c:v mjpeg -q:v 1 -pix_fmt yuvj420p"},
		{"rgb.mkv", "-c:v ffv1 -pix_fmt bgr0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			clip := mustDecode(t, encode(t, raw, c.name, strings.Fields(c.args)...), frames(4))
			for i, want := range colours {
				checkColour(t, frameOf(clip, i), want)
			}
		})
	}
}

// checkColour checks the middle of a frame, to within what 8-bit YUV loses.
func checkColour(t *testing.T, frame []byte, want [3]int) {
	t.Helper()
	const slack = 3
	middle := frame[3*(clipH/2*clipW+clipW/2):]
	for ch := range 3 {
		if d := int(middle[ch]) - want[ch]; d < -slack || d > slack {
			t.Fatalf("%v came back as %v", want, middle[:3])
		}
	}
}

// The display matrix in an mp4's track header: every quarter turn, and mirrored.
func TestRotationIsHonoured(t *testing.T) {
	t.Parallel()
	path := encode(t, numbered(3), "clip.mp4", "-c:v", "libx264", "-pix_fmt", "yuv420p")
	stored := mustDecode(t, path, frames(1))
	for _, c := range []struct {
		name       string
		a, b, c, d int32 // x' = a·x + c·y, y' = b·x + d·y
		rotation   int
	}{
		{"upright", 1, 0, 0, 1, 0},
		{"clockwise", 0, 1, -1, 0, 90},
		{"upside down", -1, 0, 0, -1, 180},
		{"anticlockwise", 0, -1, 1, 0, 270},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			clip := mustDecode(t, withMatrix(t, path, c.a, c.b, c.c, c.d), frames(1))
			if clip.Info.Rotation != c.rotation {
				t.Errorf("rotation %d, want %d", clip.Info.Rotation, c.rotation)
			}
			checkTurned(t, stored, clip, int(c.a), int(c.b), int(c.c), int(c.d))
		})
	}
}

// checkTurned checks that every stored pixel is shown where the matrix puts it.
func checkTurned(t *testing.T, stored, shown *client.Clip, a, b, c, d int) {
	t.Helper()
	w, h := clipW, clipH
	if a == 0 {
		w, h = h, w
	}
	if shown.Info.Width != w || shown.Info.Height != h || shown.Frames.Shape[1] != h || shown.Frames.Shape[2] != w {
		t.Fatalf("%d × %d, frames %v, want %d × %d", shown.Info.Width, shown.Info.Height, shown.Frames.Shape, w, h)
	}
	left, top := max(0, -a*(clipW-1), -c*(clipH-1)), max(0, -b*(clipW-1), -d*(clipH-1))
	for y := range clipH {
		for x := range clipW {
			from, to := 3*(y*clipW+x), 3*((b*x+d*y+top)*w+a*x+c*y+left)
			if !bytes.Equal(stored.Frames.Data[from:from+3], shown.Frames.Data[to:to+3]) {
				t.Fatalf("pixel %d,%d is not where it belongs", x, y)
			}
		}
	}
}

// withMatrix copies an mp4 with another display matrix: ISO/IEC 14496-12, 8.3.2.
func withMatrix(t *testing.T, path string, a, b, c, d int32) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(content, []byte("tkhd"))
	if at < 0 {
		t.Fatal("the file has no track header")
	}
	matrix := content[at+44:]
	for i, v := range []int32{a << 16, b << 16, 0, c << 16, d << 16} {
		binary.BigEndian.PutUint32(matrix[4*i:], uint32(v))
	}
	return writeFile(t, "turned.mp4", content)
}

func writeFile(t testing.TB, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// A picture is a clip of one frame.
func TestPicturesAreClipsOfOneFrame(t *testing.T) {
	t.Parallel()
	raw, colours := patches()
	one := raw[:clipW*clipH*3]
	for _, c := range []struct{ name, args string }{
		{"p.jpg", "-q:v 1 -pix_fmt yuvj444p -f image2"},
		{"p.png", "-f image2"},
		{"p.webp", "-lossless 1 -f webp"},
		{"p.gif", "-lavfi split[a][b];[a]palettegen[c];[b][c]paletteuse -f gif"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			clip := mustDecode(t, encode(t, one, c.name, strings.Fields(c.args+" -frames:v 1")...), frames(8))
			if len(clip.Index) != 1 || clip.Index[0] != 0 || clip.PTS[0] != 0 || clip.Info.TotalFrames != 1 {
				t.Errorf("indices %v, times %v, of %d frames", clip.Index, clip.PTS, clip.Info.TotalFrames)
			}
			checkColour(t, frameOf(clip, 0), colours[0])
		})
	}
}

// An animated GIF is a clip of its frames.
func TestAnimationIsAClip(t *testing.T) {
	t.Parallel()
	clip := mustDecode(t, encode(t, numbered(20), "a.gif", "-fps_mode", "passthrough"), frames(100))
	if len(clip.Index) != 20 {
		t.Fatalf("%d frames, want 20", len(clip.Index))
	}
	for i := range clip.Index {
		if got := numberOf(clip, i); got != i {
			t.Fatalf("frame %d shows %d", i, got)
		}
	}
}

// The .rgb files are what PyAV 12.3.0 makes of the videos beside them:
// [f.to_ndarray(format="rgb24") for f in av.open(path).decode(video=0)].
func TestColourAsPyAVConverts(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"tagged709.mkv", "full.avi", "ten.mkv"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join("testdata", "pyav", name)
			want := read(t, strings.TrimSuffix(path, filepath.Ext(path))+".rgb")
			req := frames(2)
			req.Color = job.ColorPyAV
			if got := mustDecode(t, path, req).Frames.Data; !bytes.Equal(got, want) {
				t.Errorf("differs by up to %d levels", farthest(got, want))
			}
		})
	}
}

// farthest is the largest difference between two byte strings, 255 where their lengths differ.
func farthest(a, b []byte) int {
	if len(a) != len(b) {
		return 255
	}
	most := 0
	for i := range a {
		most = max(most, int(a[i])-int(b[i]), int(b[i])-int(a[i]))
	}
	return most
}
