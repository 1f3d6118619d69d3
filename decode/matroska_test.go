package decode

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// el is an EBML element.
func el(id uint32, parts ...[]byte) []byte {
	payload := slices.Concat(parts...)
	head := binary.BigEndian.AppendUint32(nil, id)
	head = bytes.TrimLeft(head, "\x00")
	return slices.Concat(binary.BigEndian.AppendUint32(append(head, 0x08), uint32(len(payload)))[:len(head)+5], payload)
}

// unsizedEl is one that does not tell its length.
func unsizedEl(id uint32, parts ...[]byte) []byte {
	head := bytes.TrimLeft(binary.BigEndian.AppendUint32(nil, id), "\x00")
	return slices.Concat(append([][]byte{head, {0x01, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}}, parts...)...)
}

// blockOf is a block's payload: of track 1 or another, at a time after its cluster's.
func blockOf(track byte, at int16, flags byte) []byte {
	return append(binary.BigEndian.AppendUint16([]byte{0x80 | track}, uint16(at)), flags, 'x', 'y')
}

func trackOf(number, kind byte, more ...[]byte) []byte {
	parts := append([][]byte{el(idTrackNumber, []byte{number}), el(idTrackType, []byte{kind}), el(idCodecID, []byte("V_VP9"))}, more...)
	return el(idTrackEntry, parts...)
}

// segmentOf is a file that holds a segment.
func segmentOf(parts ...[]byte) []byte {
	return slices.Concat(el(idEBML), el(idSegment, parts...))
}

func TestClusters(t *testing.T) {
	t.Parallel()
	tracks, void := el(idTracks, trackOf(2, 2), trackOf(1, 1)), el(0xEC, make([]byte, 300))
	at := func(v uint16) []byte { return el(idTimestamp, binary.BigEndian.AppendUint16(nil, v)) }
	simple := func(at int16, flags byte) []byte { return el(idSimpleBlock, blockOf(1, at, flags)) }
	group := func(at int16, more ...[]byte) []byte {
		return el(idBlockGroup, append([][]byte{el(idBlock, blockOf(1, at, 0)), el(0x9B, []byte{33})}, more...)...)
	}
	refers := el(idReferenceBlock, []byte{0xFF})
	plain := el(idCluster, at(1000), simple(0, 0x80), simple(33, 0))
	for _, c := range []struct {
		name string
		file []byte
		want *sampleTable
	}{
		{"simple blocks", segmentOf(tracks, plain), &sampleTable{1000, []int64{1000, 1033}, []bool{true, false}}},
		{"a scale", segmentOf(el(idInfo, el(idTimestampScale, []byte{0x01, 0x86, 0xA0})), tracks, plain), &sampleTable{10000, []int64{1000, 1033}, []bool{true, false}}},
		{"groups", segmentOf(tracks, el(idCluster, at(5), group(1), group(-2, refers))), &sampleTable{1000, []int64{6, 3}, []bool{true, false}}},
		{"void between", segmentOf(void, tracks, void, el(idCluster, at(0), void, simple(1, 0x80), void), void), &sampleTable{1000, []int64{1}, []bool{true}}},
		{"sound", segmentOf(tracks, el(idCluster, at(0), el(idSimpleBlock, blockOf(2, 0, 0x86)), simple(7, 0x80))), &sampleTable{1000, []int64{7}, []bool{true}}},
		{
			"unknown lengths",
			slices.Concat(el(idEBML), unsizedEl(idSegment, tracks, unsizedEl(idCluster, at(0), simple(1, 0x80)), unsizedEl(idCluster, at(9), simple(1, 0)), el(0x1C53BB6B))),
			&sampleTable{1000, []int64{1, 10}, []bool{true, false}},
		},
		{"lacing", segmentOf(tracks, el(idCluster, at(0), simple(1, 0x82))), nil},
		{"an empty frame", segmentOf(tracks, el(idCluster, at(0), el(idSimpleBlock, blockOf(1, 0, 0x80)[:4]))), nil},
		{"two video tracks", segmentOf(el(idTracks, trackOf(1, 1), trackOf(2, 1)), plain), nil},
		{"a scale of the track", segmentOf(el(idTracks, trackOf(1, 1, el(idTrackScale, []byte{0x3F, 0x80, 0, 0}))), plain), nil},
		{"a delay", segmentOf(el(idTracks, trackOf(1, 1, el(idCodecDelay, []byte{9}))), plain), nil},
		{"an odd scale", segmentOf(el(idInfo, el(idTimestampScale, []byte{7})), tracks, plain), nil},
		{"before zero", segmentOf(tracks, el(idCluster, at(0), simple(-1, 0x80))), nil},
		{"no time", segmentOf(tracks, el(idCluster, simple(1, 0x80))), nil},
		{"no tracks", segmentOf(plain), nil},
		{"no blocks", segmentOf(tracks), nil},
		{"something unknown", segmentOf(tracks, plain, el(0x4321)), nil},
		{"cut", segmentOf(tracks, plain)[:len(segmentOf(tracks, plain))-1], nil},
		{"more follows", append(segmentOf(tracks, plain), 0), nil},
		{"nothing", nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for _, grain := range []int{12, 512} {
				got, ok := readClusters(bytes.NewReader(c.file), int64(len(c.file)), grain)
				if !ok {
					got = nil
				}
				if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(sampleTable{})); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			}
		})
	}
}
