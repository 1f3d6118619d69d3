package decode

import (
	"encoding/binary"
	"io"
	"iter"
	"math"
	"slices"
)

// Bounds of what is believed of a file: of its moov box, bytes, and its frames.
const (
	mostMoov   = 64 << 20
	mostFrames = 8 << 20
)

// sampleTable is what a file tells of a track's frames apart from their content,
// in decoding order: an ISO file in its moov box (ISO/IEC 14496-12, 8.6), Matroska
// in the heads of its blocks (matroska.go). Files of unusual make have none: of those packets tell.
type sampleTable struct {
	timescale int64   // ticks a second
	pts       []int64 // ticks
	key       []bool
}

// readSampleTable reads the table of track id.
func readSampleTable(src *source, id int) (*sampleTable, bool) {
	shape := src.shape()
	at, n := extent{}, 0
	for _, b := range shape.boxes {
		if b.name == "moov" {
			at = b.payload
			n++
		}
	}
	if n != 1 || at.to-at.from > mostMoov || shape.short != "" {
		return nil, false
	}
	moov := make([]byte, at.to-at.from)
	if _, err := src.ReadAt(moov, at.from); err != nil && err != io.EOF {
		return nil, false
	}
	return parseMoov(moov, id)
}

func parseMoov(moov []byte, id int) (*sampleTable, bool) {
	fragmented := child(moov, "mvex") != nil
	movieScale, ok := timescale(child(moov, "mvhd"))
	if !ok || fragmented {
		return nil, false
	}
	for name, trak := range boxes(moov) {
		if name == "trak" && trackID(child(trak, "tkhd")) == id {
			return parseTrack(trak, movieScale)
		}
	}
	return nil, false
}

func parseTrack(trak []byte, movieScale int64) (*sampleTable, bool) {
	mdia := child(trak, "mdia")
	scale, ok := timescale(child(mdia, "mdhd"))
	stbl := child(child(mdia, "minf"), "stbl")
	// Further descriptions, partial key frames and groups of random access points
	// mean more than is read here.
	unusual := len(child(stbl, "stsd")) < 8 || word(child(stbl, "stsd"), 4) != 1 || child(stbl, "stps") != nil || child(stbl, "sbgp") != nil
	if !ok || unusual {
		return nil, false
	}
	t := &sampleTable{timescale: scale}
	n, ok := sampleCount(child(stbl, "stsz"))
	if !ok || !t.decodingTimes(child(stbl, "stts"), n) {
		return nil, false
	}
	if !t.offsets(child(stbl, "ctts")) || !t.keys(child(stbl, "stss")) {
		return nil, false
	}
	return t, t.edit(child(child(trak, "edts"), "elst"), movieScale)
}

// decodingTimes fills in the pts of n frames with the times of decoding.
func (t *sampleTable) decodingTimes(stts []byte, n int) bool {
	at := int64(0)
	for count, delta := range runs(stts) {
		if delta == 0 || delta > math.MaxInt32 || int(count) > n-len(t.pts) {
			return false
		}
		for range count {
			t.pts = append(t.pts, at)
			at += int64(delta)
		}
	}
	return n > 0 && len(t.pts) == n
}

// offsets adds those from decoding to showing; without a box there are none.
func (t *sampleTable) offsets(ctts []byte) bool {
	if ctts == nil {
		return true
	}
	i := 0
	for count, offset := range runs(ctts) {
		if int(count) > len(t.pts)-i {
			return false
		}
		for range count {
			t.pts[i] += int64(int32(offset))
			i++
		}
	}
	return i == len(t.pts)
}

// keys marks the key frames; without a box all frames are.
func (t *sampleTable) keys(stss []byte) bool {
	t.key = make([]bool, len(t.pts))
	if stss == nil {
		for i := range t.key {
			t.key[i] = true
		}
		return true
	}
	if len(stss) < 8 || int(word(stss, 4)) > (len(stss)-8)/4 {
		return false
	}
	for i := range int(word(stss, 4)) {
		number := int(word(stss, 8+4*i))
		if number < 1 || number > len(t.key) {
			return false
		}
		t.key[number-1] = true
	}
	return t.key[0]
}

// edit applies an edit list that shows every frame, from the first on; another
// is left to FFmpeg.
func (t *sampleTable) edit(elst []byte, movieScale int64) bool {
	if elst == nil {
		return true
	}
	if len(elst) < 8 || word(elst, 4) != 1 {
		return false
	}
	var duration, start int64
	var rate uint32
	switch {
	case elst[0] == 0 && len(elst) >= 20:
		duration, start, rate = int64(word(elst, 8)), int64(int32(word(elst, 12))), word(elst, 16)
	case elst[0] == 1 && len(elst) >= 28:
		duration, start, rate = int64(binary.BigEndian.Uint64(elst[8:])), int64(binary.BigEndian.Uint64(elst[16:])), word(elst, 24)
	}
	end := float64(start) + float64(duration)*float64(t.timescale)/float64(movieScale)
	if rate != 1<<16 || duration <= 0 || start != slices.Min(t.pts) || float64(slices.Max(t.pts))+1 > end {
		return false
	}
	for i := range t.pts {
		t.pts[i] -= start
	}
	return true
}

// sampleCount is how many samples a stsz box has; it is not ok with empty ones.
func sampleCount(stsz []byte) (n int, ok bool) {
	if len(stsz) < 12 {
		return 0, false
	}
	n = int(word(stsz, 8))
	if word(stsz, 4) != 0 { // all of one size
		return n, n <= mostFrames
	}
	if (len(stsz)-12)/4 < n {
		return 0, false
	}
	for i := range n {
		if word(stsz, 12+4*i) == 0 {
			return 0, false
		}
	}
	return n, true
}

// runs are the pairs of a box of run lengths: stts, ctts. It ends early where
// the box does.
func runs(b []byte) iter.Seq2[uint32, uint32] {
	return func(yield func(count, value uint32) bool) {
		if len(b) < 8 {
			return
		}
		for i := range min(int(word(b, 4)), (len(b)-8)/8) {
			if !yield(word(b, 8+8*i), word(b, 12+8*i)) {
				return
			}
		}
	}
}

// boxes are the boxes that b consists of, until something else follows.
func boxes(b []byte) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		for len(b) >= 8 {
			n := int64(word(b, 0))
			if n < 8 || n > int64(len(b)) || !yield(string(b[4:8]), b[8:n]) {
				return
			}
			b = b[n:]
		}
	}
}

// child is the payload of the first box of that name in b; nil where there is none.
func child(b []byte, name string) []byte {
	for n, payload := range boxes(b) {
		if n == name {
			return payload
		}
	}
	return nil
}

// timescale of a mvhd or mdhd box.
func timescale(b []byte) (int64, bool) {
	at := 12
	if len(b) > 0 && b[0] == 1 {
		at = 20
	}
	if len(b) < at+4 || word(b, at) == 0 {
		return 0, false
	}
	return int64(word(b, at)), true
}

// trackID of a tkhd box; -1 where it has none.
func trackID(b []byte) int {
	at := 12
	if len(b) > 0 && b[0] == 1 {
		at = 20
	}
	if len(b) < at+4 {
		return -1
	}
	return int(word(b, at))
}

func word(b []byte, at int) uint32 { return binary.BigEndian.Uint32(b[at:]) }
