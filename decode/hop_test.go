package decode

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/winnow-video/winnow/decode/wire"
)

// clipOf encodes a moving test picture with the ffmpeg program, which make setup installs.
func clipOf(t testing.TB, name, args string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	all := append(strings.Fields("-v error -nostdin -f lavfi -i testsrc2=s=128x96:r=30 -frames:v 200 "+args), path)
	if out, err := exec.Command("ffmpeg", all...).CombinedOutput(); err != nil {
		t.Fatalf("ffmpeg: %v\n%s", err, out)
	}
	return path
}

// makerOf makes clips of a file, served as the parent serves it.
func makerOf(t testing.TB, path string, count int) *maker {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	info, err := file.Stat()
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs := net.Pipe()
	served := make(chan error, 1)
	go func() {
		served <- wire.ServeRanges(theirs, info.Size(), func(p []byte, off int64) error {
			_, err := file.ReadAt(p, off)
			return err
		})
	}()
	t.Cleanup(func() {
		ours.Close()
		if err := <-served; err != nil {
			t.Errorf("serve ranges: %v", err)
		}
		file.Close()
	})
	req := wire.Request{
		V: wire.Version, Size: info.Size(), Container: filepath.Ext(path), Sampling: wire.Sampling{Count: count},
	}.WithDefaults()
	return &maker{req: req, src: newSource(wire.NewRanges(ours, info.Size()), info.Size())}
}

// Hopping must give what decoding everything gives, without needing the second try.
func TestHopEqualsWalk(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, args string }{
		{"bframes.mp4", "-c:v libx264 -g 40 -bf 3 -pix_fmt yuv420p"},
		{"opengop.mp4", "-c:v libx264 -x264-params keyint=40:open-gop=1:bframes=3 -pix_fmt yuv420p"},
		{"fragments.mp4", "-c:v libx264 -g 30 -pix_fmt yuv420p -movflags frag_keyframe+empty_moov"},
		{"onegop.mp4", "-c:v libx264 -g 250 -bf 2 -pix_fmt yuv420p"},
		{"bframes.mkv", "-c:v libx264 -g 40 -bf 3 -pix_fmt yuv420p"},
		{"hevc.mp4", "-c:v libx265 -preset ultrafast -x265-params log-level=error:keyint=40:bframes=3 -pix_fmt yuv420p"},
		{"vp9.webm", "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -g 40 -b:v 300k"},
		{"intra.mov", "-c:v prores"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := clipOf(t, c.name, c.args)
			for _, count := range []int{1, 3, 8, 50} {
				m := makerOf(t, path, count)
				line, err := m.timeline(t.Context(), skim, fromPackets)
				if err != nil {
					t.Fatal(err)
				}
				picks := uniform(line.window(nil, nil), count)
				walked, err := m.pick(t.Context(), line, picks, false)
				if err != nil {
					t.Fatal(err)
				}
				for _, threads := range []int{1, 2, 5} {
					m.req.Threads = threads
					hopped, err := m.pick(t.Context(), line, picks, true)
					if err != nil {
						t.Fatal(err)
					}
					if diff := cmp.Diff(walked.taken, hopped.taken); diff != "" {
						t.Errorf("count %d, %d threads: other frames (-walk +hop):\n%s", count, threads, diff)
					}
					if !bytes.Equal(walked.pixels, hopped.pixels) {
						t.Errorf("count %d, %d threads: other pixels", count, threads)
					}
					if diff := cmp.Diff(walked.info, hopped.info); diff != "" {
						t.Errorf("count %d, %d threads: (-walk +hop):\n%s", count, threads, diff)
					}
				}
			}
		})
	}
}

func BenchmarkPick(b *testing.B) {
	path := clipOf(b, "b.mp4", "-c:v libx264 -g 50 -bf 3 -pix_fmt yuv420p")
	for name, hop := range map[string]bool{"walk": false, "hop": true} {
		b.Run(name, func(b *testing.B) {
			m := makerOf(b, path, 4)
			line, err := m.timeline(b.Context(), skim, fromPackets)
			if err != nil {
				b.Fatal(err)
			}
			picks := uniform(line.window(nil, nil), 4)
			for b.Loop() {
				if _, err := m.pick(b.Context(), line, picks, hop); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
