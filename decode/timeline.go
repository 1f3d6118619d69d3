package decode

import (
	"context"
	"errors"
	"slices"
	"sort"

	"github.com/asticode/go-astiav"

	"github.com/winnow-video/winnow/workflows/job"
)

// timeline is every frame that a player would show, in the order of showing.
type timeline struct {
	pts      []int64      // in the stream's time base, ascending
	times    []float64    // seconds from the first frame
	lost     int          // frames that may be missing from it, for they could not be decoded
	counted  bool         // by decoding: frames are found by their number, else by their PTS
	keys     []int64      // PTS of key frames, ascending; some may be hidden
	seekable bool         // decoding can begin at each of them
	flaw     *job.Failure // what keeps it from being all that the file declares; nil where nothing does
}

// keyBefore returns the PTS of the last key frame from which the frame at
// position can be decoded; ok is false where that is not known. Frames that are
// shown before a key frame but stored after it may need the one before.
func (t *timeline) keyBefore(position int) (pts int64, ok bool) {
	i := sort.Search(len(t.keys), func(i int) bool { return t.keys[i] > t.pts[position] })
	if i == 0 || !t.seekable {
		return 0, false
	}
	return t.keys[i-1], true
}

// timed fills in the times.
func (t *timeline) timed(in *input) *timeline {
	t.times = make([]float64, len(t.pts))
	for i, pts := range t.pts {
		t.times[i] = in.seconds(pts - t.pts[0])
	}
	return t
}

// duration from the first frame to the end of the last, which is shown as long
// as frames are on average; zero for a single frame.
func (t *timeline) duration() float64 {
	n := len(t.times)
	if n < 2 {
		return 0
	}
	return t.times[n-1] * float64(n) / float64(n-1)
}

// find returns the position of the frame at pts, or -1.
func (t *timeline) find(pts int64) int {
	i, ok := slices.BinarySearch(t.pts, pts)
	if !ok {
		return -1
	}
	return i
}

// fromPackets goes over all packets, decoding none. It is nil where packets do not
// tell when each frame is shown.
func fromPackets(ctx context.Context, in *input) (*timeline, error) {
	if hidesFrames(in.decoder.CodecID()) {
		return nil, nil
	}
	s := packetScan{table: &timeline{}}
	err := s.run(ctx, in)
	if err != nil && !errors.Is(err, astiav.ErrInvaliddata) {
		return nil, readFailure(err)
	}
	if !s.finish(in, err) {
		return nil, nil
	}
	return s.table.timed(in), nil
}

// hidesFrames lists the codecs whose packets may hold no frame to show, or two:
// VP8's alternate references, and packed B-frames of the MPEG-4 part 2 family.
func hidesFrames(id astiav.CodecID) bool {
	switch id {
	case astiav.CodecIDVp8, astiav.CodecIDMpeg4, astiav.CodecIDMpeg2Video, astiav.CodecIDMpeg1Video, astiav.CodecIDVc1, astiav.CodecIDWmv3:
		return true
	}
	return false
}

// packetScan gathers a timeline from packets.
type packetScan struct {
	table *timeline
	seen  int64 // packets, hidden ones too
	noPTS bool
}

// run takes the container's own table, if it has one, else every packet.
func (s *packetScan) run(ctx context.Context, in *input) error {
	table, ok := in.sampleTable()
	if !ok {
		return in.packets(ctx, s.add)
	}
	s.seen, s.table.pts = int64(len(table.pts)), table.pts
	for i, key := range table.key {
		if key {
			s.table.keys = append(s.table.keys, table.pts[i])
		}
	}
	return nil
}

func (s *packetScan) add(p *astiav.Packet) (bool, error) {
	s.seen++
	if p.Pts() == astiav.NoPtsValue {
		s.noPTS = true
		return false, nil
	}
	if p.Flags().Has(astiav.PacketFlagKey) {
		s.table.keys = append(s.table.keys, p.Pts())
	}
	if p.Flags().Has(astiav.PacketFlagDiscard) { // an edit list hides it; others refer to it
		return true, nil
	}
	s.table.pts = append(s.table.pts, p.Pts())
	return true, nil
}

// finish sorts the times and says whether they can be relied on. Frames shown
// before the first key frame are parts of a cut-off beginning that no decoder can show.
func (s *packetScan) finish(in *input, readErr error) bool {
	pts := s.table.pts
	slices.Sort(pts)
	if keys := s.table.keys; len(keys) > 0 {
		pts = slices.DeleteFunc(pts, func(v int64) bool { return v < keys[0] })
	}
	s.table.pts = pts
	s.table.seekable = in.seekable() && slices.IsSorted(s.table.keys)
	slices.Sort(s.table.keys)
	s.table.flaw = containerFlaw(readErr)
	if declared := in.stream.NbFrames(); s.seen < declared && !s.noPTS && isMP4(in) {
		s.table.flaw = fail(job.InputTruncated, "%d of %d frames are there", s.seen, declared)
	}
	return !s.noPTS && len(slices.Compact(slices.Clone(pts))) == len(pts)
}

// fromDecoding decodes everything once to see what is shown when.
func fromDecoding(ctx context.Context, in *input) (*timeline, error) {
	t, d := &timeline{counted: true}, &damage{limit: unlimited}
	readErr := in.pictures(ctx, d, func(f *astiav.Frame) (bool, error) {
		t.pts = append(t.pts, t.next(timestamp(f)))
		if f.KeyFrame() {
			t.keys = append(t.keys, t.pts[len(t.pts)-1])
		}
		return true, nil
	})
	if t.flaw = containerFlaw(readErr); t.flaw != nil {
		readErr = nil
	}
	t.lost = d.count
	return t.timed(in), readFailure(readErr)
}

// containerFlaw is what the demuxer made of the file: its error, or what it
// skipped without one.
func containerFlaw(readErr error) *job.Failure {
	if errors.Is(readErr, astiav.ErrInvaliddata) {
		return fail(job.InputCorrupt, "the container is damaged: %v", readErr)
	}
	if why := complaint(); why != "" {
		return fail(job.InputCorrupt, "the container is damaged: %s", why)
	}
	return nil
}

// next is the time of the frame after those already there; one without a time,
// or before its predecessor, is shown as long after it as that was after its own.
func (t *timeline) next(pts int64) int64 {
	if n := len(t.pts); n > 0 && (pts == astiav.NoPtsValue || pts <= t.pts[n-1]) {
		return t.pts[n-1] + t.lastGap()
	}
	if pts == astiav.NoPtsValue {
		return 0
	}
	return pts
}

// finder finds frames in a timeline as they come by in order of showing.
type finder struct {
	timeline *timeline
	seen     int
}

// next is the position of f; -1 for a frame that the timeline lacks.
func (r *finder) next(f *astiav.Frame) int {
	r.seen++
	if r.timeline.counted {
		return r.seen - 1
	}
	return r.timeline.find(f.Pts())
}

func (t *timeline) lastGap() int64 {
	n := len(t.pts)
	if n < 2 {
		return 1
	}
	return t.pts[n-1] - t.pts[n-2]
}
