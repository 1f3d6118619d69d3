package decode

import (
	"context"
	"errors"
	"io"

	"github.com/asticode/go-astiav"

	"github.com/winnow-video/winnow/decode/wire"
)

const (
	ioBuffer = 128 << 10 // bytes FFmpeg asks for at once
	seekSize = 0x10000   // AVSEEK_SIZE: FFmpeg asks for the size
	seekFlag = 0x20000   // AVSEEK_FORCE: a hint that may come with any other
)

// source is the parent's file as FFmpeg's custom IO.
type source struct {
	*wire.Ranges
	size int64
	at   int64 // of the reader
}

func newSource(conn io.ReadWriter, size int64) *source {
	return &source{Ranges: wire.NewRanges(conn, size), size: size}
}

// read is FFmpeg's read callback. It never returns bytes together with an
// error: the binding would lose them.
func (s *source) read(ctx context.Context) func([]byte) (int, error) {
	return func(p []byte) (int, error) {
		if ctx.Err() != nil {
			return 0, astiav.ErrExit
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
