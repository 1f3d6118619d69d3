package wire

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/winnow-video/winnow/infer/tensor"
	"github.com/winnow-video/winnow/workflows/job"
)

// A result, on the child's standard output:
//
//	offset  size  content
//	0       4     "WNWC"
//	4       4     version, 1, little-endian
//	8       8     N: length of the clip, little-endian; 0 with a failure
//	16      N     the clip, a safetensors file (clip.go)
//	16+N    4     M: length of the trailer, little-endian, at most 64 KiB
//	20+N    M     the trailer, JSON: {"v":1,"crc32c":…,"read":…} or {"v":1,"failure":{…}}
//
// read is how many bytes of the source the child read by itself, if any.
// Nothing follows. A result that ends early, or whose checksum (CRC-32C of the
// clip) differs, is none.

const (
	resultMagic = "WNWC"
	resultHead  = 16
	maxTrailer  = 64 << 10
)

type trailer struct {
	V       int          `json:"v"`
	CRC32C  uint32       `json:"crc32c"`
	Read    int64        `json:"read,omitempty"`
	Failure *job.Failure `json:"failure,omitempty"`
}

func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

// WriteClip writes the result that holds clip, made of read bytes of an open file.
func WriteClip(w io.Writer, clip *tensor.File, read int64) error {
	body, err := tensor.Body(clip)
	if err != nil {
		return fmt.Errorf("write clip: %w", err)
	}
	if err := writeHead(w, body.Size()); err != nil {
		return err
	}
	sum := crc32.New(castagnoli())
	if _, err := io.Copy(io.MultiWriter(w, sum), body); err != nil {
		return fmt.Errorf("write clip: %w", err)
	}
	return writeTrailer(w, trailer{V: Version, CRC32C: sum.Sum32(), Read: read})
}

// WriteFailure writes the result that is a failure.
func WriteFailure(w io.Writer, failure *job.Failure) error {
	if err := writeHead(w, 0); err != nil {
		return err
	}
	return writeTrailer(w, trailer{V: Version, Failure: failure})
}

func writeHead(w io.Writer, n int64) error {
	head := binary.LittleEndian.AppendUint32([]byte(resultMagic), Version)
	if _, err := w.Write(binary.LittleEndian.AppendUint64(head, uint64(n))); err != nil {
		return fmt.Errorf("write result: %w", err)
	}
	return nil
}

func writeTrailer(w io.Writer, t trailer) error {
	text, err := json.Marshal(t)
	if err != nil {
		return fmt.Errorf("write trailer: %w", err)
	}
	if _, err := w.Write(append(binary.LittleEndian.AppendUint32(nil, uint32(len(text))), text...)); err != nil {
		return fmt.Errorf("write trailer: %w", err)
	}
	return nil
}

// ReadResult reads a result of at most maxBytes of clip, which it may allocate before they arrive. It returns the clip's bytes and
// how many the child read of an open file, or the *job.Failure that it ended with; any other error means that there is no result.
func ReadResult(r io.Reader, maxBytes int64) (clip []byte, read int64, err error) {
	n, err := readHead(r, maxBytes)
	if err != nil {
		return nil, 0, err
	}
	clip = make([]byte, n) // at once: growing it would hold the clip twice
	if _, err := io.ReadFull(r, clip); err != nil {
		return nil, 0, fmt.Errorf("result: clip: %w", err)
	}
	t, err := readTrailer(r)
	switch {
	case err != nil:
		return nil, 0, fmt.Errorf("result: trailer: %w", err)
	case t.V != Version:
		return nil, 0, job.Fail(job.StageDecode, job.InternalVersion, "decode result of version %d, this build reads version %d", t.V, Version)
	case t.Failure != nil:
		return nil, 0, t.Failure
	case n == 0 || t.CRC32C != crc32.Checksum(clip, castagnoli()):
		return nil, 0, fmt.Errorf("result: checksum of %d bytes differs", n)
	}
	return clip, t.Read, nil
}

func readHead(r io.Reader, maxBytes int64) (int64, error) {
	var head [resultHead]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, fmt.Errorf("result: head: %w", err)
	}
	version, n := binary.LittleEndian.Uint32(head[4:]), binary.LittleEndian.Uint64(head[8:])
	switch {
	case string(head[:4]) != resultMagic:
		return 0, fmt.Errorf("result: begins with %q, want %q", head[:4], resultMagic)
	case version != Version:
		return 0, job.Fail(job.StageDecode, job.InternalVersion, "decode result of version %d, this build reads version %d", version, Version)
	case n > uint64(maxBytes):
		return 0, fmt.Errorf("result: clip of %d bytes, at most %d were expected", n, maxBytes)
	}
	return int64(n), nil
}

func readTrailer(r io.Reader) (trailer, error) {
	var length [4]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return trailer{}, err
	}
	n := binary.LittleEndian.Uint32(length[:])
	if n > maxTrailer {
		return trailer{}, fmt.Errorf("%d bytes long, at most %d were expected", n, maxTrailer)
	}
	text := make([]byte, n)
	if _, err := io.ReadFull(r, text); err != nil {
		return trailer{}, err
	}
	var t trailer
	if err := json.Unmarshal(text, &t); err != nil {
		return trailer{}, err
	}
	if rest, err := io.CopyN(io.Discard, r, 1); rest != 0 || err != io.EOF {
		return trailer{}, fmt.Errorf("something follows it")
	}
	return t, nil
}
