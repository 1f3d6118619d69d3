package decode

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Going over packets without their content tells the same as with it, and reads next to nothing.
func TestSkimTellsTheSameTimes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, args string }{
		{"bframes.mp4", "-c:v libx264 -g 30 -bf 3 -pix_fmt yuv420p"},
		{"faststart.mp4", "-c:v libx264 -g 250 -bf 2 -pix_fmt yuv420p -movflags +faststart"},
		{"fragmented.mp4", "-c:v libx264 -g 25 -pix_fmt yuv420p -movflags +frag_keyframe+empty_moov"},
		{"hevc.mov", "-c:v libx265 -x265-params log-level=error:keyint=30:bframes=3 -preset ultrafast -pix_fmt yuv420p"},
		{"vp9.mp4", "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -g 30 -auto-alt-ref 1 -lag-in-frames 16 -b:v 300k"},
		{"av1.mp4", "-c:v libaom-av1 -cpu-used 8 -usage realtime -g 30 -b:v 300k"},
		{"prores.mov", "-c:v prores"},
		{"mjpeg.mov", "-c:v mjpeg -q:v 3 -pix_fmt yuvj420p"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			m := makerOf(t, clipOf(t, c.name, c.args), 8)
			scan := func(open opener) *timeline {
				in, err := open(t.Context(), m.src, m.req, nil)
				if err != nil {
					t.Fatal(err)
				}
				defer in.close()
				s := packetScan{table: &timeline{}}
				if err := in.packets(t.Context(), s.add); err != nil {
					t.Fatal(err)
				}
				if !s.finish(in, nil) {
					t.Error("times are not relied on")
				}
				return s.table
			}
			if diff := cmp.Diff(scan(open), scan(skim), cmp.AllowUnexported(timeline{})); diff != "" {
				t.Errorf("(-with content +without):\n%s", diff)
			}
		})
	}
}
