package wire

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/winnow-video/winnow/workflows/job"
)

// The range protocol on fd 3. The child asks, one range at a time:
//
//	offset  size  content
//	0       1     version, 1
//	1       3     zero
//	4       4     length of the range, 1 to MaxRange, little-endian
//	8       8     its offset in the source, little-endian
//
// and the parent answers each, in order:
//
//	offset  size  content
//	0       1     version, 1
//	1       1     status: 0 bytes, 1 failure
//	2       2     zero
//	4       4     length N of what follows, little-endian
//	8       N     the range, N as asked for; or a job.Failure, JSON, after which nothing is answered
//
// The child never asks past the source's end, which it knows from the request.

// MaxRange is the longest range that may be asked for, bytes.
const MaxRange = 8 << 20

const (
	askHead    = 16
	answerHead = 8
	maxFailure = 64 << 10

	statusBytes   = 0
	statusFailure = 1
)

// Ranges reads a source through the range protocol. It is safe for concurrent use.
type Ranges struct {
	size int64

	mu   sync.Mutex
	conn io.ReadWriter
	err  error // the first failure; nothing is asked after it
}

// NewRanges reads a source of size bytes over conn.
func NewRanges(conn io.ReadWriter, size int64) *Ranges {
	return &Ranges{conn: conn, size: size}
}

// ReadAt implements io.ReaderAt. An error other than io.EOF is a failure that the
// parent answered, or the loss of the parent; it stays.
func (r *Ranges) ReadAt(p []byte, off int64) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if off < 0 {
		return 0, fmt.Errorf("range at %d: negative offset", off)
	}
	n := 0
	for n < len(p) && off+int64(n) < r.size {
		if r.err != nil {
			return n, r.err
		}
		want := min(int64(len(p)-n), MaxRange, r.size-off-int64(n))
		if r.err = r.ask(p[n:n+int(want)], off+int64(n)); r.err != nil {
			return n, r.err
		}
		n += int(want)
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// Grain is how many bytes cost about as much to ask for as a few.
func (r *Ranges) Grain() int { return 128 << 10 }

// Err is what ended the protocol, if something did.
func (r *Ranges) Err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// ask fills p from off.
func (r *Ranges) ask(p []byte, off int64) error {
	var head [askHead]byte
	head[0] = Version
	binary.LittleEndian.PutUint32(head[4:], uint32(len(p)))
	binary.LittleEndian.PutUint64(head[8:], uint64(off))
	if _, err := r.conn.Write(head[:]); err != nil {
		return fmt.Errorf("ask for %d bytes at %d: %w", len(p), off, err)
	}
	return readAnswer(r.conn, p)
}

// readAnswer fills p, or returns the failure that was answered.
func readAnswer(conn io.Reader, p []byte) error {
	var head [answerHead]byte
	if _, err := io.ReadFull(conn, head[:]); err != nil {
		return fmt.Errorf("answer to a range: %w", err)
	}
	if head[0] != Version {
		return job.Fail(job.StageDecode, job.InternalVersion, "range answer of version %d, this build reads version %d", head[0], Version)
	}
	n := binary.LittleEndian.Uint32(head[4:])
	switch {
	case head[1] == statusFailure && n <= maxFailure:
		return readFailure(conn, int(n))
	case head[1] == statusBytes && int64(n) == int64(len(p)):
		_, err := io.ReadFull(conn, p)
		return err
	}
	return fmt.Errorf("answer to a range of %d bytes: status %d, %d bytes", len(p), head[1], n)
}

func readFailure(conn io.Reader, n int) error {
	text := make([]byte, n)
	if _, err := io.ReadFull(conn, text); err != nil {
		return fmt.Errorf("answer to a range: %w", err)
	}
	failure := new(job.Failure)
	if err := json.Unmarshal(text, failure); err != nil {
		return fmt.Errorf("answer to a range: failure: %w", err)
	}
	return failure
}

// ServeRanges answers conn's questions about a source of size bytes through read,
// which fills p from off, until the child closes its side (nil) or read fails
// (that error, told to the child).
func ServeRanges(conn io.ReadWriter, size int64, read func(p []byte, off int64) error) error {
	buffer := make([]byte, answerHead)
	for {
		n, off, err := readAsk(conn, size)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if need := answerHead + n; cap(buffer) < need {
			buffer = make([]byte, need)
		}
		buffer = buffer[:answerHead+n]
		if err := read(buffer[answerHead:], off); err != nil {
			return errors.Join(err, answerFailure(conn, err))
		}
		if err := answer(conn, statusBytes, buffer); err != nil {
			return err
		}
	}
}

// readAsk reads one question. A clean end is io.EOF.
func readAsk(conn io.Reader, size int64) (n int, off int64, err error) {
	var head [askHead]byte
	if _, err := io.ReadFull(conn, head[:]); err != nil {
		return 0, 0, err
	}
	length, at := binary.LittleEndian.Uint32(head[4:]), binary.LittleEndian.Uint64(head[8:])
	switch {
	case head[0] != Version:
		return 0, 0, job.Fail(job.StageDecode, job.InternalVersion, "range request of version %d, this build reads version %d", head[0], Version)
	case length == 0 || length > MaxRange || at > uint64(size) || uint64(length) > uint64(size)-at:
		return 0, 0, fmt.Errorf("range request: %d bytes at %d of a source of %d bytes", length, at, size)
	}
	return int(length), int64(at), nil
}

// answer writes frame, whose first bytes are left for the head.
func answer(conn io.Writer, status byte, frame []byte) error {
	clear(frame[:answerHead])
	frame[0], frame[1] = Version, status
	binary.LittleEndian.PutUint32(frame[4:], uint32(len(frame)-answerHead))
	if _, err := conn.Write(frame); err != nil {
		return fmt.Errorf("answer a range: %w", err)
	}
	return nil
}

func answerFailure(conn io.Writer, cause error) error {
	text, err := json.Marshal(job.AsFailure(job.StageFetch, cause))
	if err != nil {
		return err
	}
	if len(text) > maxFailure {
		text = text[:0]
	}
	return answer(conn, statusFailure, append(make([]byte, answerHead), text...))
}
