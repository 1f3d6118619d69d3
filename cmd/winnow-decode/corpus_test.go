package main_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/winnow-video/winnow/workflows/job"
)

// eachDamage is how often every kind of damage is done to every container.
const eachDamage = 3

// Damage of every kind, everywhere, in every container: a valid clip or a typed
// failure of the input, never a hang, a crash of the parent or an untyped end. The files
// are 16 containers × 13 kinds × 3; a failure names what makes the file again.
func TestDamageEverywhereEndsTyped(t *testing.T) {
	t.Parallel()
	raw := numbered(40)
	other := read(t, encode(t, raw, "other.mp4", strings.Fields(plainH264)...))
	for _, c := range []struct{ name, args string }{
		{"last.mp4", plainH264},
		{"first.mp4", plainH264 + " -movflags +faststart"},
		{"fragments.mp4", plainH264 + " -movflags +frag_keyframe+empty_moov"},
		{"d.mov", "-c:v prores"},
		{"hevc.mp4", "-c:v libx265 -x265-params log-level=error -preset ultrafast -pix_fmt yuv420p"},
		{"av1.mp4", "-c:v libaom-av1 -cpu-used 8 -usage realtime -b:v 200k"},
		{"d.mkv", plainH264},
		{"d.webm", "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -b:v 200k"},
		{"d.avi", "-c:v mpeg4"},
		{"d.ts", plainH264},
		{"d.mpg", "-c:v mpeg2video"},
		{"d.flv", plainH264},
		{"d.ogv", "-c:v libtheora -q:v 7"},
		{"d.gif", ""},
		{"d.png", "-frames:v 1 -f image2"},
		{"d.jpg", "-frames:v 1 -f image2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			whole := read(t, encode(t, raw, c.name, strings.Fields(c.args)...))
			for _, d := range damages(other) {
				for i := range eachDamage {
					seed := fnv.New64()
					seed.Write([]byte(c.name + d.name))
					rng := rand.New(rand.NewPCG(seed.Sum64(), uint64(i)))
					content := d.do(bytes.Clone(whole), rng)
					if err := endsTyped(t, c.name, content, i%2 == 0); err != nil {
						t.Errorf("%s, %d: %v", d.name, i, err)
					}
				}
			}
		})
	}
}

// endsTyped decodes a damaged file. Its error is an end that no video may bring about.
func endsTyped(t *testing.T, name string, content []byte, partial bool) error {
	t.Helper()
	req := frames(8)
	req.AllowPartial = partial
	req.Limits = job.Limits{Wall: 30 * time.Second, Memory: 512 << 20}
	_, err := decodeFile(t, writeFile(t, name, content), req)
	var failure *job.Failure
	if err == nil || errors.As(err, &failure) && failure.Kind == job.KindInput && failure.Code != job.InputTimeout {
		return nil // a clip that was sent is checked where it is read
	}
	return err
}

// damage is one way to damage a file.
type damage struct {
	name string
	do   func([]byte, *rand.Rand) []byte
}

func damages(other []byte) []damage {
	return []damage{
		{"a bit flipped", func(b []byte, rng *rand.Rand) []byte { return flip(b, rng, 1) }},
		{"many bits flipped", func(b []byte, rng *rand.Rand) []byte { return flip(b, rng, 50) }},
		{"a byte of the head inverted", func(b []byte, rng *rand.Rand) []byte { b[rng.IntN(min(len(b), 500))] ^= 0xff; return b }},
		{"cut short", func(b []byte, rng *rand.Rand) []byte { return b[:rng.IntN(len(b))] }},
		{"head lost", func(b []byte, rng *rand.Rand) []byte { return b[rng.IntN(len(b)/2):] }},
		{"a part lost", func(b []byte, rng *rand.Rand) []byte {
			return slices.Delete(b, len(b)/3, len(b)/3+rng.IntN(min(200, len(b)/3)))
		}},
		{"a part twice", func(b []byte, rng *rand.Rand) []byte {
			at := rng.IntN(len(b) / 2)
			return slices.Insert(b, at, bytes.Clone(b[at:at+len(b)/4])...)
		}},
		{"a part zeroed", func(b []byte, rng *rand.Rand) []byte {
			at := rng.IntN(len(b))
			clear(b[at:min(len(b), at+1+rng.IntN(2000))])
			return b
		}},
		{"spliced with another", func(b []byte, rng *rand.Rand) []byte {
			return append(b[:rng.IntN(len(b))], other[rng.IntN(len(other)):]...)
		}},
		{"absurd size near the head", func(b []byte, rng *rand.Rand) []byte { return absurd(b, rng, min(len(b), 2000)) }},
		{"absurd size anywhere", func(b []byte, rng *rand.Rand) []byte { return absurd(b, rng, len(b)) }},
		{"atoms swapped", swapAtoms},
		{"no time base", zeroTimeBase},
	}
}

func flip(b []byte, rng *rand.Rand, bits int) []byte {
	for range bits {
		b[rng.IntN(len(b))] ^= 1 << rng.IntN(8)
	}
	return b
}

// absurd writes a length that no file has, big-endian or little.
func absurd(b []byte, rng *rand.Rand, within int) []byte {
	sizes := []string{"\xff\xff\xff\xff", "\x7f\xff\xff\xff", "\xff\xff\xff\x7f", "\x00\x00\x00\x00", "\x00\x00\x00\x01", "\x80\x00\x00\x00"}
	copy(b[rng.IntN(max(1, within-4)):], sizes[rng.IntN(len(sizes))])
	return b
}

// swapAtoms exchanges two top-level boxes of an ISO file, or of its moov; of
// another file two equally long parts.
func swapAtoms(b []byte, rng *rand.Rand) []byte {
	boxes := atoms(b)
	if moov := bytes.Index(b, []byte("moov")); moov >= 4 && rng.IntN(2) == 0 {
		inner := swapAtoms(bytes.Clone(b[moov+4:moov-4+int(binary.BigEndian.Uint32(b[moov-4:]))]), rand.New(rand.NewPCG(1, 1)))
		copy(b[moov+4:], inner)
		return b
	}
	if len(boxes) < 2 {
		n := len(b) / 4
		head := bytes.Clone(b[:n])
		copy(b[:n], b[2*n:3*n])
		copy(b[2*n:], head)
		return b
	}
	i := rng.IntN(len(boxes) - 1)
	boxes[i], boxes[i+1] = boxes[i+1], boxes[i]
	return bytes.Join(boxes, nil)
}

// atoms are the boxes that b consists of; nil where it does not.
func atoms(b []byte) (boxes [][]byte) {
	for len(b) >= 8 {
		n := int(binary.BigEndian.Uint32(b))
		if n < 8 || n > len(b) {
			return nil
		}
		boxes = append(boxes, bytes.Clone(b[:n]))
		b = b[n:]
	}
	return boxes
}

// zeroTimeBase makes the clock stand still: mvhd's and mdhd's time scale, Matroska's
// TimestampScale, AVI's rate and scale, Ogg Theora's and FLV's frame rate.
func zeroTimeBase(b []byte, _ *rand.Rand) []byte {
	for _, field := range []struct {
		after        string
		skip, length int
	}{{"mdhd", 12, 4}, {"mvhd", 12, 4}, {"\x2a\xd7\xb1", 1, 3}, {"vids", 16, 8}, {"avih", 4, 4}, {"\x80theora", 15, 8}, {"framerate", 1, 8}} {
		at := bytes.Index(b, []byte(field.after))
		if from := at + len(field.after) + field.skip; at >= 0 && from+field.length <= len(b) {
			clear(b[from : from+field.length])
		}
	}
	return b
}
