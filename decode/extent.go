package decode

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math/bits"
)

// knownContainer says that the file begins as a container of video or a
// picture does, whatever follows.
func knownContainer(src io.ReaderAt) bool {
	head := make([]byte, 12)
	n, _ := src.ReadAt(head, 0)
	head = head[:n]
	for _, magic := range []string{
		"\x1aE\xdf\xa3", "OggS", "FLV\x01", "\x00\x00\x01\xba", "0&\xb2u", "GIF8", "\x89PNG", "\xff\xd8\xff",
	} {
		if bytes.HasPrefix(head, []byte(magic)) {
			return true
		}
	}
	return isISO(head) || isRIFF(head) && (string(head[8:]) == "AVI " || string(head[8:]) == "WEBP")
}

// shape is what a file's own structure says of its extent.
type shape struct {
	boxes []box  // top-level boxes of an ISO file (mp4, mov); none of another
	short string // how it ends before the end that it declares; "" where it does not, or declares none
}

// box is a box of an ISO file.
type box struct {
	name    string
	payload extent
}

// shapeOf reads what is needed of a file of size bytes. FFmpeg reads files that
// were cut short without a word.
func shapeOf(src io.ReaderAt, size int64) (s shape) {
	head := make([]byte, 64)
	n, _ := src.ReadAt(head, 0)
	head = head[:n]
	var end int64
	switch {
	case isISO(head):
		s.boxes, end = boxesOf(src, size)
	case isRIFF(head):
		end = 8 + int64(binary.LittleEndian.Uint32(head[4:]))
	case bytes.HasPrefix(head, []byte("\xff\xd8\xff")):
		s.short = openEnd(src, size)
	case bytes.HasPrefix(head, []byte("\x1aE\xdf\xa3")):
		end = endOfSegment(head)
	}
	if end > size {
		s.short = fmt.Sprintf("the file has %d of %d bytes: it was cut short", size, end)
	}
	return s
}

func isISO(head []byte) bool { return len(head) >= 8 && string(head[4:8]) == "ftyp" }

func isRIFF(head []byte) bool { return len(head) >= 12 && string(head[:4]) == "RIFF" }

// mediaData is where an ISO file of size bytes holds samples, which tell nothing
// about when they are shown.
func (s shape) mediaData(size int64) (media []extent) {
	for _, b := range s.boxes {
		if b.name == "mdat" {
			media = append(media, extent{b.payload.from, min(b.payload.to, size)})
		}
	}
	return media
}

// boxesOf are the top-level boxes of an ISO file, and where the last of them ends
// (ISO/IEC 14496-12, 4.2).
func boxesOf(src io.ReaderAt, size int64) (all []box, end int64) {
	head := make([]byte, 16)
	at := int64(0)
	for at < size {
		n, _ := src.ReadAt(head, at)
		if n < 8 || !isName(head[4:8]) { // something follows that is no box
			return all, size
		}
		skip, length := int64(8), int64(binary.BigEndian.Uint32(head))
		if length == 1 && n == 16 {
			skip, length = 16, int64(min(binary.BigEndian.Uint64(head[8:]), 1<<62))
		}
		if length == 0 { // to the end of the file
			length = size - at
		}
		if length < skip { // damaged
			return all, size
		}
		all = append(all, box{string(head[4:8]), extent{at + skip, at + length}})
		at += length
	}
	return all, at
}

// openEnd says that a JPEG has no end marker, which its compressed data cannot
// hold by chance, among its last 64 KiB; cameras append more than the picture.
func openEnd(src io.ReaderAt, size int64) string {
	last := make([]byte, min(size, 64<<10))
	n, _ := src.ReadAt(last, size-int64(len(last)))
	if bytes.Contains(last[:n], []byte("\xff\xd9")) {
		return ""
	}
	return "the JPEG has no end marker: it was cut short"
}

// isName says that a box may be called so.
func isName(name []byte) bool {
	return !bytes.ContainsFunc(name, func(r rune) bool { return r < ' ' || r > '~' })
}

// endOfSegment is where a Matroska file's segment ends; 0 where it was written
// as a stream of unknown length. head holds the EBML header and the segment's
// first bytes (RFC 8794, 4).
func endOfSegment(head []byte) int64 {
	length, n := vint(head[4:])
	at := 4 + n + int(min(length, 1<<20))
	if n == 0 || at+4 > len(head) || !bytes.HasPrefix(head[at:], []byte("\x18S\x80g")) {
		return 0
	}
	at += 4
	length, n = vint(head[at:])
	if unknown := uint64(1)<<(7*n) - 1; n == 0 || length == unknown {
		return 0
	}
	return int64(at+n) + int64(length)
}

// vint reads an EBML variable-size integer and its length in bytes; 0, 0 where b is too short.
func vint(b []byte) (uint64, int) {
	if len(b) == 0 || b[0] == 0 {
		return 0, 0
	}
	n := bits.LeadingZeros8(b[0]) + 1
	if len(b) < n {
		return 0, 0
	}
	value := uint64(b[0]) & (1<<(8-n) - 1)
	for _, next := range b[1:n] {
		value = value<<8 | uint64(next)
	}
	return value, n
}
