package decode

import (
	"encoding/binary"
	"io"
	"math/bits"
	"slices"
)

// Matroska's elements (RFC 9559) that are read here.
const (
	idEBML           = 0x1A45DFA3
	idSegment        = 0x18538067
	idInfo           = 0x1549A966
	idTimestampScale = 0x2AD7B1
	idTracks         = 0x1654AE6B
	idTrackEntry     = 0xAE
	idTrackNumber    = 0xD7
	idTrackType      = 0x83
	idTrackScale     = 0x23314F
	idCodecID        = 0x86
	idCodecDelay     = 0x56AA
	idCluster        = 0x1F43B675
	idTimestamp      = 0xE7
	idSimpleBlock    = 0xA3
	idBlockGroup     = 0xA0
	idBlock          = 0xA1
	idReferenceBlock = 0xFB
)

// Bounds of what is believed of a file: an element that is read whole, bytes.
const mostElement = 16 << 20

const secondNS = 1_000_000_000

// besideClusters lists what may lie in a segment and tells nothing of times: seek
// head, cues, chapters, tags, attachments, void and checksums.
func besideClusters(id uint32) bool {
	return slices.Contains([]uint32{0x114D9B74, 0x1C53BB6B, 0x1043A770, 0x1254C367, 0x1941A469, 0xEC, 0xBF}, id)
}

// besideBlocks lists what may lie in a cluster and tells nothing of times:
// position, size of the one before, silent tracks, void and checksums.
func besideBlocks(id uint32) bool {
	return slices.Contains([]uint32{0xA7, 0xAB, 0x5854, 0xEC, 0xBF}, id)
}

// oneFrameABlock lists the codecs whose blocks are known to be a frame each, at its time.
func oneFrameABlock(codec string) bool {
	return slices.Contains([]string{"V_MPEG4/ISO/AVC", "V_MPEGH/ISO/HEVC", "V_VP9", "V_AV1"}, codec)
}

// readClusters reads the headers of all blocks of a Matroska file's only video
// track, not their content. Of files of unusual make, and damaged ones, packets tell.
func readClusters(src io.ReaderAt, size int64, grain int) (*sampleTable, bool) {
	r := &clusterReader{elementReader: elementReader{src: src, size: size, grain: grain}, scale: 1_000_000}
	header, ok := r.element(0)
	if !ok || header.id != idEBML {
		return nil, false
	}
	segment, ok := r.element(header.to)
	if !ok || segment.id != idSegment || (segment.to != size && !segment.unsized) {
		return nil, false
	}
	if !r.segment(segment.from) || len(r.table.pts) == 0 || secondNS%r.scale != 0 {
		return nil, false
	}
	r.table.timescale = secondNS / r.scale
	return &r.table, true
}

// clusterReader gathers a table from a segment.
type clusterReader struct {
	elementReader
	scale int64  // ns a tick
	track uint64 // number of the video track; 0: not known yet
	table sampleTable
}

// segment reads what is in the segment, from the byte at to the end of the file.
func (r *clusterReader) segment(at int64) (ok bool) {
	for at < r.size {
		e, ok := r.element(at)
		switch {
		case !ok:
			return false
		case e.id == idCluster && r.track != 0:
			if at, ok = r.cluster(e); !ok {
				return false
			}
			continue
		case e.unsized:
			return false
		case e.id == idInfo && len(r.table.pts) == 0:
			ok = r.info(e)
		case e.id == idTracks && r.track == 0:
			ok = r.tracks(e)
		default:
			ok = besideClusters(e.id)
		}
		if !ok {
			return false
		}
		at = e.to
	}
	return true
}

func (r *clusterReader) info(e element) bool {
	content, ok := r.content(e)
	if !ok {
		return false
	}
	for id, payload := range elements(content) {
		if id == idTimestampScale {
			r.scale = int64(unsigned(payload))
		}
	}
	return r.scale > 0
}

// tracks finds the only video track.
func (r *clusterReader) tracks(e element) bool {
	content, ok := r.content(e)
	if !ok {
		return false
	}
	for id, entry := range elements(content) {
		if id != idTrackEntry || unsigned(first(entry, idTrackType)) != 1 {
			continue
		}
		plain := first(entry, idTrackScale) == nil && unsigned(first(entry, idCodecDelay)) == 0
		if !plain || r.track != 0 || !oneFrameABlock(string(first(entry, idCodecID))) {
			return false
		}
		r.track = unsigned(first(entry, idTrackNumber))
	}
	return r.track != 0
}

// cluster reads a cluster, and returns where it ends.
func (r *clusterReader) cluster(c element) (end int64, ok bool) {
	base := int64(-1)
	for at := c.from; at < c.to; {
		e, ok := r.element(at)
		switch {
		case ok && c.unsized && (e.id == idCluster || besideClusters(e.id) && !besideBlocks(e.id)):
			return at, true
		case !ok || e.unsized || e.to > c.to:
			return 0, false
		case e.id == idTimestamp:
			var content []byte
			content, ok = r.content(e)
			base = int64(unsigned(content))
		case e.id == idSimpleBlock:
			ok = r.block(e, base, nil)
		case e.id == idBlockGroup:
			ok = r.group(e, base)
		default:
			ok = besideBlocks(e.id)
		}
		if !ok {
			return 0, false
		}
		at = e.to
	}
	return c.to, true
}

// group reads a block with what is told about it: it is a key frame if it refers to no other.
func (r *clusterReader) group(g element, base int64) bool {
	var block element
	key := true
	for at := g.from; at < g.to; {
		e, ok := r.element(at)
		if !ok || e.unsized || e.to > g.to || e.id == idBlock && block.id != 0 {
			return false
		}
		if e.id == idBlock {
			block = e
		}
		key = key && e.id != idReferenceBlock
		at = e.to
	}
	return block.id == idBlock && r.block(block, base, &key)
}

// block notes a block of the track in a cluster that begins at base; key is
// whether it is a key frame, nil where the block itself tells.
func (r *clusterReader) block(e element, base int64, key *bool) bool {
	const lacing, keyFrame = 0x06, 0x80
	head := r.bytes(e.from, int(min(e.to-e.from, 12)))
	number, n := vint(head)
	if n == 0 || len(head) < n+3 {
		return false
	}
	if number != r.track {
		return true
	}
	pts, flags := base+int64(int16(binary.BigEndian.Uint16(head[n:]))), head[n+2]
	empty := e.to-e.from == int64(n+3)
	if base < 0 || pts < 0 || empty || flags&lacing != 0 || len(r.table.pts) == mostFrames {
		return false
	}
	isKey := flags&keyFrame != 0
	if key != nil {
		isKey = *key
	}
	r.table.pts, r.table.key = append(r.table.pts, pts), append(r.table.key, isKey)
	return true
}

// element is one of EBML (RFC 8794): its payload is bytes from..to-1 of the file.
type element struct {
	id       uint32
	from, to int64
	unsized  bool // it does not tell where it ends: the file's end is taken
}

// elementReader reads elements of a file of size bytes, grain bytes at once.
type elementReader struct {
	src    io.ReaderAt
	size   int64
	grain  int
	window []byte // read last
	at     int64  // of the window
}

// element reads the head of the element at off. It is not ok where that is
// none, or its payload ends past the file.
func (r *elementReader) element(off int64) (e element, ok bool) {
	id, head, length, ok := elementHead(r.bytes(off, 12))
	if !ok {
		return element{}, false
	}
	e = element{id: id, from: off + int64(head), to: r.size}
	if length == unsized {
		e.unsized = true
		return e, true
	}
	if length > uint64(r.size-e.from) {
		return element{}, false
	}
	e.to = e.from + int64(length)
	return e, true
}

// content is all of an element's payload.
func (r *elementReader) content(e element) ([]byte, bool) {
	if e.unsized || e.to-e.from > mostElement {
		return nil, false
	}
	b := make([]byte, e.to-e.from)
	n, _ := r.src.ReadAt(b, e.from)
	return b, n == len(b)
}

// bytes are n bytes from off, or those up to the end of the file; not to be kept.
func (r *elementReader) bytes(off int64, n int) []byte {
	n = int(max(0, min(int64(n), r.size-off)))
	if off < r.at || off+int64(n) > r.at+int64(len(r.window)) {
		if r.window == nil {
			r.window = make([]byte, r.grain)
		}
		r.window = r.window[:cap(r.window)]
		read, _ := r.src.ReadAt(r.window, off)
		r.window, r.at = r.window[:read], off
	}
	from := min(off-r.at, int64(len(r.window)))
	return r.window[from:min(from+int64(n), int64(len(r.window)))]
}

// unsized is the length of an element that does not tell it.
const unsized = 1<<56 - 1

// elementHead reads an element's id and payload's length, which follow each other in head bytes.
func elementHead(b []byte) (id uint32, head int, length uint64, ok bool) {
	if len(b) == 0 {
		return 0, 0, 0, false
	}
	n := bits.LeadingZeros8(b[0]) + 1
	if n > 4 || len(b) < n {
		return 0, 0, 0, false
	}
	for _, v := range b[:n] {
		id = id<<8 | uint32(v)
	}
	length, m := vint(b[n:])
	if m > 0 && length == 1<<(7*m)-1 {
		length = unsized
	}
	return id, n + m, length, m > 0
}

// elements are the elements that b consists of, until something else follows.
func elements(b []byte) func(yield func(uint32, []byte) bool) {
	return func(yield func(uint32, []byte) bool) {
		for {
			id, head, length, ok := elementHead(b)
			if !ok || length > uint64(len(b)-head) || !yield(id, b[head:head+int(length)]) {
				return
			}
			b = b[head+int(length):]
		}
	}
}

// first is the payload of the first element of that id in b; nil where there is none.
func first(b []byte, id uint32) []byte {
	for i, payload := range elements(b) {
		if i == id {
			return payload
		}
	}
	return nil
}

// unsigned reads an integer of up to 8 bytes, 0 without any.
func unsigned(b []byte) (v uint64) {
	for _, x := range b {
		v = v<<8 | uint64(x)
	}
	return v
}
