package decode

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"

	"golang.org/x/sys/unix"

	"github.com/winnow-video/winnow/decode/wire"
	"github.com/winnow-video/winnow/infer/tensor"
	"github.com/winnow-video/winnow/workflows/job"
)

// Serve is winnow-decode: it reads a request from stdin, makes the clip from
// ranges asked for on conn, or read from file where the request says that it is
// the source, and writes the result to stdout. It bounds the memory of the whole
// process. Its error, if there is one, has been written too.
func Serve(ctx context.Context, stdin io.Reader, conn io.ReadWriter, file io.ReaderAt, stdout io.Writer) error {
	clip, read, err := serve(ctx, stdin, conn, file)
	if err != nil {
		return errors.Join(err, wire.WriteFailure(stdout, job.AsFailure(job.StageDecode, err)))
	}
	return wire.WriteClip(stdout, clip, read)
}

func serve(ctx context.Context, stdin io.Reader, conn io.ReadWriter, file io.ReaderAt) (clip *tensor.File, read int64, err error) {
	req, err := wire.ReadRequest(stdin)
	if err != nil {
		return nil, 0, err
	}
	if err := boundMemory(req.MemoryBound()); err != nil {
		return nil, 0, err
	}
	if !req.Local {
		clip, err := clipFrom(ctx, req, wire.NewRanges(conn, req.Size))
		return clip, 0, err // the parent knows what was asked for
	}
	local := wire.NewOpened(file, req.Size)
	clip, err = clipFrom(ctx, req, local)
	return clip, local.Transferred(), err
}

func clipFrom(ctx context.Context, req wire.Request, from ranges) (*tensor.File, error) {
	clip, err := makeClip(ctx, req, newSource(from, req.Size))
	if lost := from.Err(); lost != nil {
		return nil, lost // FFmpeg may take a lost source for the end of the file
	}
	return clip, err
}

// boundMemory has the kernel refuse memory past limit bytes. RLIMIT_AS would
// count address space that Go reserves and never touches.
func boundMemory(limit int64) error {
	debug.SetMemoryLimit(limit / 2)
	bound := unix.Rlimit{Cur: uint64(limit), Max: uint64(limit)}
	if err := unix.Setrlimit(unix.RLIMIT_DATA, &bound); err != nil {
		return fmt.Errorf("limit memory to %d bytes: %w", limit, err)
	}
	return nil
}
