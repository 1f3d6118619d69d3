package decode

import (
	"context"
	"errors"
	"io"
	"sort"

	"github.com/asticode/go-astiav"
)

const (
	ioBuffer = 128 << 10 // bytes FFmpeg asks for at once
	seekSize = 0x10000   // AVSEEK_SIZE: FFmpeg asks for the size
	seekFlag = 0x20000   // AVSEEK_FORCE: a hint that may come with any other
)

// ranges are where bytes come from: wire.Ranges or wire.Opened.
type ranges interface {
	io.ReaderAt
	Err() error // what ended the reading, if something did
	Grain() int // bytes that cost about as much to read as a few
}

// source is a video as FFmpeg's custom IO.
type source struct {
	ranges
	size  int64
	at    int64    // of the reader
	blank []extent // reads as zeros without being asked for; ascending
	known *shape   // nil until it is asked for
}

// extent is bytes from..to-1 of a source.
type extent struct{ from, to int64 }

func newSource(from ranges, size int64) *source { return &source{ranges: from, size: size} }

// shape of the file, read once: of a fragmented film it is many small reads.
func (s *source) shape() shape {
	if s.known == nil {
		shape := shapeOf(s, s.size)
		s.known = &shape
	}
	return *s.known
}

// read is FFmpeg's read callback. It never returns bytes together with an
// error: the binding would lose them.
func (s *source) read(ctx context.Context) func([]byte) (int, error) {
	return func(p []byte) (int, error) {
		if ctx.Err() != nil {
			return 0, astiav.ErrExit
		}
		if n := s.blankAt(len(p)); n > 0 {
			clear(p[:n])
			s.at += int64(n)
			return n, nil
		}
		n, err := s.ReadAt(p, s.at)
		s.at += int64(n)
		switch {
		case n > 0:
			return n, nil
		case errors.Is(err, io.EOF):
			return 0, io.EOF
		}
		return 0, astiav.ErrExit
	}
}

// blankAt is how many of the next n bytes are blank.
func (s *source) blankAt(n int) int {
	i := sort.Search(len(s.blank), func(i int) bool { return s.blank[i].to > s.at })
	if i == len(s.blank) || s.blank[i].from > s.at {
		return 0
	}
	return int(min(int64(n), s.blank[i].to-s.at))
}

// seek is FFmpeg's seek callback.
func (s *source) seek(offset int64, whence int) (int64, error) {
	switch whence &^ seekFlag {
	case seekSize:
		return s.size, nil
	case io.SeekStart:
	case io.SeekCurrent:
		offset += s.at
	case io.SeekEnd:
		offset += s.size
	default:
		return 0, astiav.ErrEio
	}
	if offset < 0 {
		return 0, astiav.ErrEio
	}
	s.at = offset
	return offset, nil
}
