package decode

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"
	"testing"
)

// boxText is an ISO box of the declared length, with so many bytes of it there.
func boxText(name string, declared uint32, there int) string {
	head := binary.BigEndian.AppendUint32(nil, declared)
	return string(head) + name + strings.Repeat("x", there-8)
}

func TestShapeTellsOfFilesCutShort(t *testing.T) {
	t.Parallel()
	ftyp := boxText("ftyp", 16, 16)
	ebml := "\x1aE\xdf\xa3\x84abcd\x18S\x80g"
	for _, c := range []struct {
		name, file string
		want       bool
	}{
		{"mp4", ftyp + boxText("mdat", 20, 20), false},
		{"mp4 within a box", ftyp + boxText("mdat", 20, 19), true},
		{"mp4 whose last box is open", ftyp + boxText("mdat", 0, 30), false},
		{"mp4 with a long box", ftyp + "\x00\x00\x00\x01mdat\x00\x00\x00\x00\x00\x00\x00\x14abcd", false},
		{"mp4 cut in a long box", ftyp + "\x00\x00\x00\x01mdat\x00\x00\x00\x00\x00\x00\x00\x14abc", true},
		{"mp4 with a huge box", ftyp + "\x00\x00\x00\x01mdat\xff\xff\xff\xff\xff\xff\xff\xffabc", true},
		{"mp4 with a stray tail", ftyp + "\x00\x00\x00", false},
		{"mp4 followed by what is no box", ftyp + "\xff\xff\xff\xff\x00\x01\x02\x03zzzz", false},
		{"avi", "RIFF\x08\x00\x00\x00AVI xxxx", false},
		{"avi cut", "RIFF\x09\x00\x00\x00AVI xxxx", true},
		{"matroska", ebml + "\x84abcd", false},
		{"matroska cut", ebml + "\x84abc", true},
		{"matroska of unknown length", ebml + "\x01\xff\xff\xff\xff\xff\xff\xffab", false},
		{"matroska cut in its head", "\x1aE\xdf\xa3\x84ab", false},
		{"jpeg", "\xff\xd8\xff\xe0data\xff\xd9", false},
		{"jpeg with a tail", "\xff\xd8\xff\xe0data\xff\xd9" + strings.Repeat("z", 1000), false},
		{"jpeg cut", "\xff\xd8\xff\xe0data", true},
		{"nothing known", "hello", false},
		{"empty", "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if why := shapeOf(strings.NewReader(c.file), int64(len(c.file))).short; (why != "") != c.want {
				t.Errorf("short = %q, want one: %v", why, c.want)
			}
		})
	}
}

func TestMediaData(t *testing.T) {
	t.Parallel()
	ftyp := boxText("ftyp", 16, 16)
	long := "\x00\x00\x00\x01mdat\x00\x00\x00\x00\x00\x00\x00\x14abcd"
	for _, c := range []struct {
		name, file string
		want       []extent
	}{
		{"two", ftyp + boxText("mdat", 20, 20) + boxText("moov", 30, 30) + long, []extent{{24, 36}, {82, 86}}},
		{"open", ftyp + boxText("mdat", 0, 30), []extent{{24, 46}}},
		{"cut", ftyp + boxText("mdat", 100, 30), []extent{{24, 46}}},
		{"none", ftyp + boxText("moov", 30, 30), nil},
	} {
		size := int64(len(c.file))
		if got := shapeOf(strings.NewReader(c.file), size).mediaData(size); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func FuzzShape(f *testing.F) {
	f.Add([]byte(boxText("ftyp", 16, 16) + boxText("mdat", 20, 19)))
	f.Add([]byte("\x1aE\xdf\xa3\x84abcd\x18S\x80g\x84abc"))
	f.Add([]byte("RIFF\x09\x00\x00\x00AVI xxxx"))
	f.Fuzz(func(t *testing.T, file []byte) {
		shapeOf(bytes.NewReader(file), int64(len(file))) // must end, and not panic
		knownContainer(bytes.NewReader(file))
	})
}
