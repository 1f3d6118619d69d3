package decode

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Packets without their content, and the container's table, tell the same as packets with it.
func TestSkimTellsTheSameTimes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, args string
		without    bool // a table that is read
	}{
		{"bframes.mp4", "-c:v libx264 -g 30 -bf 3 -pix_fmt yuv420p", false},
		{"faststart.mp4", "-c:v libx264 -g 250 -bf 2 -pix_fmt yuv420p -movflags +faststart", false},
		{"fragmented.mp4", "-c:v libx264 -g 25 -pix_fmt yuv420p -movflags +frag_keyframe+empty_moov", true},
		{"hevc.mov", "-c:v libx265 -x265-params log-level=error:keyint=30:bframes=3 -preset ultrafast -pix_fmt yuv420p", false},
		{"vp9.mp4", "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -g 30 -auto-alt-ref 1 -lag-in-frames 16 -b:v 300k", false},
		{"av1.mp4", "-c:v libaom-av1 -cpu-used 8 -usage realtime -g 30 -b:v 300k", false},
		{"negative.mp4", "-c:v libx264 -g 30 -bf 3 -pix_fmt yuv420p -movflags negative_cts_offsets", false},
		{"no-edits.mp4", "-c:v libx264 -g 30 -bf 3 -pix_fmt yuv420p -use_editlist 0", false},
		{"vfr.mp4", "-vf setpts=(N+5*floor(N/10))/(30*TB) -fps_mode passthrough -c:v libx264 -bf 2 -g 25 -pix_fmt yuv420p", false},
		{"prores.mov", "-c:v prores", false},
		{"mjpeg.mov", "-c:v mjpeg -q:v 3 -pix_fmt yuvj420p", false},
		{"bframes.mkv", "-c:v libx264 -g 30 -bf 3 -pix_fmt yuv420p", false},
		{"open-gop.mkv", "-c:v libx264 -x264-params keyint=20:open-gop=1:bframes=3 -pix_fmt yuv420p", false},
		{"interlaced.mkv", "-c:v libx264 -x264-params interlaced=1:keyint=30:bframes=2 -pix_fmt yuv420p", false},
		{"hevc.mkv", "-c:v libx265 -x265-params log-level=error:keyint=30:bframes=3 -preset ultrafast -pix_fmt yuv420p", false},
		{"vp9.webm", "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -g 30 -auto-alt-ref 1 -lag-in-frames 16 -b:v 300k", false},
		{"live.webm", "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -g 30 -b:v 300k -live 1", false},
		{"clusters.webm", "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -g 30 -b:v 300k -cluster_time_limit 300 -cues_to_front 1 -reserve_index_space 4096", false},
		{"sound.webm", "-filter_complex sine=d=6[a] -map 0:v -map [a] -c:v libvpx-vp9 -deadline realtime -cpu-used 8 -g 30 -b:v 300k -c:a libopus", false},
		{"late.mkv", "-c:v libx264 -g 30 -bf 2 -pix_fmt yuv420p -output_ts_offset 3", false},
		{"vfr.mkv", "-vf setpts=(N+5*floor(N/10))/(30*TB) -fps_mode passthrough -c:v libx264 -bf 2 -g 25 -pix_fmt yuv420p", false},
		{"av1.mkv", "-c:v libaom-av1 -cpu-used 8 -usage realtime -g 30 -b:v 300k", false},
		{"two.mkv", "-map 0 -map 0 -c:v libx264 -g 30 -pix_fmt yuv420p", true},
		{"mjpeg.mkv", "-c:v mjpeg -q:v 3 -pix_fmt yuvj420p", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			m := makerOf(t, clipOf(t, c.name, c.args), 8)
			scan := func(open opener, run func(*packetScan, context.Context, *input) error) *timeline {
				in, err := open(t.Context(), m.src, m.req, nil)
				if err != nil {
					t.Fatal(err)
				}
				defer in.close()
				s := packetScan{table: &timeline{}}
				if err := run(&s, t.Context(), in); err != nil {
					t.Fatal(err)
				}
				if !s.finish(in, nil) {
					t.Error("times are not relied on")
				}
				return s.table
			}
			packets := func(s *packetScan, ctx context.Context, in *input) error { return in.packets(ctx, s.add) }
			want := scan(open, packets)
			if diff := cmp.Diff(want, scan(skim, packets), cmp.AllowUnexported(timeline{})); diff != "" {
				t.Errorf("(-with content +without):\n%s", diff)
			}
			if diff := cmp.Diff(want, scan(skim, (*packetScan).run), cmp.AllowUnexported(timeline{})); diff != "" {
				t.Errorf("(-packets +table):\n%s", diff)
			}
			in, err := open(t.Context(), m.src, m.req, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer in.close()
			if _, ok := in.sampleTable(); ok == c.without {
				t.Errorf("the file has a table: %v", ok)
			}
		})
	}
}

// What an edit list hides is left to FFmpeg.
func TestTableThatIsNotBelieved(t *testing.T) {
	t.Parallel()
	whole := clipOf(t, "whole.mp4", "-c:v libx264 -g 30 -bf 2 -pix_fmt yuv420p")
	cut := strings.TrimSuffix(whole, "whole.mp4") + "cut.mp4"
	if out, err := exec.Command("ffmpeg", "-v", "error", "-ss", "0.5", "-i", whole, "-c", "copy", cut).CombinedOutput(); err != nil {
		t.Fatalf("ffmpeg: %v\n%s", err, out)
	}
	for path, want := range map[string]bool{whole: true, cut: false} {
		m := makerOf(t, path, 1)
		if _, ok := readSampleTable(m.src, 1); ok != want {
			t.Errorf("%s has a table: %v", filepath.Base(path), ok)
		}
	}
}

func FuzzParseMoov(f *testing.F) {
	content, err := os.ReadFile(clipOf(f, "seed.mp4", "-c:v libx264 -g 30 -bf 2 -pix_fmt yuv420p"))
	if err != nil {
		f.Fatal(err)
	}
	for _, b := range shapeOf(bytes.NewReader(content), int64(len(content))).boxes {
		if b.name == "moov" {
			f.Add(content[b.payload.from:b.payload.to], 1)
		}
	}
	f.Fuzz(func(t *testing.T, moov []byte, id int) {
		if table, ok := parseMoov(moov, id); ok && len(table.pts) != len(table.key) {
			t.Errorf("%d times, %d key marks", len(table.pts), len(table.key))
		}
	})
}

func FuzzReadClusters(f *testing.F) {
	for _, args := range []string{"", "-live 1", "-cluster_time_limit 300"} {
		content, err := os.ReadFile(clipOf(f, "seed.mkv", "-c:v libx264 -g 30 -bf 2 -pix_fmt yuv420p "+args))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(content[:min(len(content), 64<<10)])
		f.Add(content)
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		if table, ok := readClusters(bytes.NewReader(content), int64(len(content)), 64); ok && len(table.pts) != len(table.key) {
			t.Errorf("%d times, %d key marks", len(table.pts), len(table.key))
		}
	})
}
