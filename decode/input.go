package decode

import (
	"context"
	"errors"
	"time"

	"github.com/asticode/go-astiav"

	"github.com/winnow-video/winnow/decode/wire"
	"github.com/winnow-video/winnow/workflows/job"
)

// input is an open container and a decoder for its best video stream.
type input struct {
	io      *astiav.IOContext
	format  *astiav.FormatContext
	stream  *astiav.Stream
	decoder *astiav.CodecContext
	device  *device // that the decoder uses; nil: none
	src     *source
	wanted  func(pts int64) bool // whether a packet's frame must be shown; nil: all
}

// open opens src as req says, to be decoded on d. On an error nothing is left open.
func open(ctx context.Context, src *source, req wire.Request, d *device) (*input, error) {
	return openAs(ctx, src, req, d, astiav.AllocFormatContext())
}

// skim opens src for going over its packets, which may have no content where
// the container has their times elsewhere: it is not fetched. They cannot be decoded.
func skim(ctx context.Context, src *source, req wire.Request, _ *device) (*input, error) {
	format := astiav.AllocFormatContext()
	iso := len(src.shape().boxes) > 0
	if iso { // parsers would look into the content
		format.SetFlags(format.Flags().Add(astiav.FormatContextFlagNoparse))
	}
	in, err := openAs(ctx, src, req, nil, format)
	if err == nil && iso {
		src.blank = src.shape().mediaData(src.size)
	}
	return in, err
}

func openAs(ctx context.Context, src *source, req wire.Request, d *device, format *astiav.FormatContext) (_ *input, err error) {
	in := &input{format: format, device: d, src: src}
	defer func() {
		if err != nil {
			in.close()
		}
	}()
	src.at, src.blank = 0, nil
	if in.io, err = astiav.AllocIOContext(ioBuffer, false, src.read(ctx), src.seek, nil); err != nil {
		return nil, fail(job.InputMemory, "open: %v", err)
	}
	in.format.SetPb(in.io)
	if err := in.format.OpenInput("clip"+req.Container, nil, nil); err != nil {
		return nil, notOpened(src, err)
	}
	if err := in.describe(req.Limits); err != nil {
		return nil, err
	}
	return in, in.openDecoder(req.Limits)
}

// close frees everything; parts that were never made are skipped.
func (in *input) close() {
	if in.decoder != nil {
		in.decoder.Free()
	}
	in.format.CloseInput()
	if in.io != nil {
		in.io.Free()
	}
}

// notOpened tells a file that is cut short from one that is no video.
func notOpened(src *source, err error) error {
	if src.Err() != nil {
		return src.Err()
	}
	if why := src.shape().short; why != "" {
		return fail(job.InputTruncated, "%s", why)
	}
	if knownContainer(src) {
		return avFailure(err, job.InputCorrupt, "open: its container is known but cannot be read")
	}
	return avFailure(err, job.InputNotVideo, "open: no known container of video or pictures")
}

// describe finds the streams and chooses one. Limits are checked on what the
// header says before FFmpeg decodes a frame to learn more, and again after.
func (in *input) describe(limits job.Limits) error {
	if err := in.withinPixels(limits); err != nil {
		return err
	}
	if err := in.format.FindStreamInfo(nil); err != nil && !errors.Is(err, astiav.ErrInvaliddata) {
		return avFailure(err, job.InputCorrupt, "read its streams")
	}
	if err := in.choose(); err != nil {
		return err
	}
	if err := in.withinPixels(limits); err != nil {
		return err
	}
	if seconds := in.duration(); seconds > limits.Duration.Seconds() {
		return fail(job.InputTooLarge, "lasts %v, over limits.duration %v", inSeconds(seconds), limits.Duration)
	}
	return nil
}

func inSeconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

func (in *input) withinPixels(limits job.Limits) error {
	for _, s := range in.format.Streams() {
		p := s.CodecParameters()
		if p.MediaType() != astiav.MediaTypeVideo {
			continue
		}
		if err := withinPixels(p.Width(), p.Height(), limits); err != nil {
			return err
		}
	}
	return nil
}

func withinPixels(w, h int, limits job.Limits) error {
	if int64(w)*int64(h) > limits.Pixels {
		return fail(job.InputTooLarge, "frames of %dx%d, over limits.pixels %d", w, h, limits.Pixels)
	}
	return nil
}

// choose picks the stream that FFmpeg's players would, and has the demuxer
// drop the others. Cover art of music is no video.
func (in *input) choose() error {
	best, _, err := in.format.FindBestStream(astiav.MediaTypeVideo, -1, -1)
	if errors.Is(err, astiav.ErrDecoderNotFound) {
		return fail(job.InputUnsupported, "this build has no decoder for its video")
	}
	if err != nil || best.DispositionFlags().Has(astiav.DispositionFlagAttachedPic) {
		return fail(job.InputNoVideo, "%s without a video stream", in.container())
	}
	in.stream = best
	for _, s := range in.format.Streams() {
		if s.Index() != best.Index() {
			s.SetDiscard(astiav.DiscardAll)
		}
	}
	return nil
}

func (in *input) openDecoder(limits job.Limits) error {
	p := in.stream.CodecParameters()
	codec := in.device.codec(p.CodecID())
	if codec == nil {
		return fail(job.InputUnsupported, "no decoder for %s in this build", p.CodecID().Name())
	}
	in.decoder = astiav.AllocCodecContext(codec)
	if err := p.ToCodecContext(in.decoder); err != nil {
		return avFailure(err, job.InputUnsupported, "set up "+codec.Name())
	}
	in.decoder.SetThreadCount(1) // one decoder a core: threads of one would only take turns
	in.decoder.SetTimeBase(in.stream.TimeBase())
	boundPixels(in.decoder, limits.Pixels)
	if err := in.device.attach(in.decoder); err != nil {
		return err
	}
	if err := in.decoder.Open(codec, nil); err != nil {
		return avFailure(err, job.InputUnsupported, "open "+codec.Name())
	}
	return nil
}

// visitor takes a packet and says whether it wants more. It may keep what the packet refers to.
type visitor func(*astiav.Packet) (more bool, err error)

// feed gives packets, in decoding order, until visit wants no more.
type feed func(ctx context.Context, visit visitor) error

// packets is a feed of every packet of the video stream from here on. The error is
// the demuxer's; the end of the file is none.
func (in *input) packets(ctx context.Context, visit visitor) error {
	p := astiav.AllocPacket()
	defer p.Free()
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		switch err := in.format.ReadFrame(p); {
		case errors.Is(err, astiav.ErrEof):
			return nil
		case err != nil:
			return err
		}
		more, err := true, error(nil)
		if p.StreamIndex() == in.stream.Index() {
			more, err = visit(p)
		}
		p.Unref()
		if err != nil || !more {
			return err
		}
	}
}

// seek goes to the key frame at pts; the decoder is to be flushed. Where key frames
// are closer together than a decoder reorders frames, it may be the next.
func (in *input) seek(pts int64) error {
	return in.format.SeekFrame(in.stream.Index(), pts, astiav.NewSeekFlags(astiav.SeekFlagBackward))
}

// sampleTable is that of the video track, where it is in the stream's time base.
func (in *input) sampleTable() (t *sampleTable, ok bool) {
	switch {
	case isMP4(in):
		t, ok = readSampleTable(in.src, in.stream.ID())
	case isMatroska(in):
		t, ok = readClusters(in.src, in.src.size, in.src.Grain())
	}
	tb := in.stream.TimeBase()
	return t, ok && tb.Num() == 1 && int64(tb.Den()) == t.timescale
}

// seekable says that the container has an index which leads to key frames exactly.
func (in *input) seekable() bool { return isMP4(in) || isMatroska(in) }

// isMP4 says so of MP4 and MOV, whose count of frames is exact.
func isMP4(in *input) bool { return in.container() == "mov,mp4,m4a,3gp,3g2,mj2" }

func isMatroska(in *input) bool { return in.container() == "matroska,webm" }

// duration in seconds, as the container says; zero where it does not.
func (in *input) duration() float64 {
	if d := in.format.Duration(); d > 0 {
		return float64(d) / float64(astiav.TimeBase)
	}
	return 0
}

func (in *input) container() string { return in.format.InputFormat().Name() }

// seconds converts a span of the stream's time base.
func (in *input) seconds(span int64) float64 {
	tb := in.stream.TimeBase()
	return float64(span) * float64(tb.Num()) / float64(tb.Den())
}
