package tensor

import (
	"fmt"
	"io"
	"maps"
	"slices"
)

// Decode checks b as a safetensors file and returns its tensors as views into
// b, which must stay unchanged. It refuses everything that the format does not
// allow, in an error that names the tensor.
func Decode(b []byte) (*File, error) {
	n, err := headerLen(b, int64(len(b)))
	if err != nil {
		return nil, err
	}
	data := b[8+n:]
	h, err := parseHeader(b[8:8+n], int64(len(data)))
	if err != nil {
		return nil, err
	}
	f := &File{Metadata: h.metadata, Tensors: make(map[string]Tensor, len(h.tensors))}
	for name, x := range h.tensors {
		f.Tensors[name] = Tensor{DType: x.dtype, Shape: x.shape, Bytes: data[x.begin:x.end:x.end]}
	}
	return f, nil
}

// Reader reads tensors, or some of their rows, from a safetensors file that
// stays where it is. It is safe for concurrent use if its source is.
type Reader struct {
	src  io.ReaderAt
	head *header
	data int64 // offset of the data
}

// NewReader reads and checks the header of a file of size bytes.
func NewReader(src io.ReaderAt, size int64) (*Reader, error) {
	prefix := make([]byte, min(8, max(size, 0)))
	if err := readFull(src, prefix, 0); err != nil {
		return nil, fmt.Errorf("safetensors: header length: %w", err)
	}
	n, err := headerLen(prefix, size)
	if err != nil {
		return nil, err
	}
	text := make([]byte, n)
	if err := readFull(src, text, 8); err != nil {
		return nil, fmt.Errorf("safetensors: header: %w", err)
	}
	h, err := parseHeader(text, size-8-n)
	if err != nil {
		return nil, err
	}
	return &Reader{src: src, head: h, data: 8 + n}, nil
}

// Metadata is the file's; do not change it.
func (r *Reader) Metadata() map[string]string { return r.head.metadata }

// Names lists the tensors, sorted.
func (r *Reader) Names() []string { return slices.Sorted(maps.Keys(r.head.tensors)) }

// Stat is a tensor's type and shape.
func (r *Reader) Stat(name string) (DType, Shape, error) {
	x, err := r.extent(name)
	return x.dtype, x.shape, err
}

// Tensor reads a whole tensor.
func (r *Reader) Tensor(name string) (Tensor, error) {
	x, err := r.extent(name)
	if err != nil {
		return Tensor{}, err
	}
	return r.read(name, x.dtype, x.shape, x.begin)
}

// RowRange reads rows first ≤ i < first+n of a tensor's first axis: [R,…] gives [n,…].
func (r *Reader) RowRange(name string, first, n int) (Tensor, error) {
	x, err := r.extent(name)
	if err != nil {
		return Tensor{}, err
	}
	if len(x.shape) == 0 || first < 0 || n < 0 || n > x.shape[0] || first > x.shape[0]-n {
		return Tensor{}, fmt.Errorf("tensor %q: %d rows from %d on are not in %v", name, n, first, []int(x.shape))
	}
	width := (x.end - x.begin) / int64(max(x.shape[0], 1))
	shape := append(Shape{n}, x.shape[1:]...)
	return r.read(name, x.dtype, shape, x.begin+int64(first)*width)
}

func (r *Reader) extent(name string) (extent, error) {
	x, ok := r.head.tensors[name]
	if !ok {
		return x, fmt.Errorf("tensor %q is not in the file, which has %s", name, listed(r.Names()))
	}
	return x, nil
}

func (r *Reader) read(name string, t DType, shape Shape, begin int64) (Tensor, error) {
	size, err := byteSize(t, shape)
	if err != nil {
		return Tensor{}, fmt.Errorf("tensor %q: %w", name, err)
	}
	b := make([]byte, size)
	if err := readFull(r.src, b, r.data+begin); err != nil {
		return Tensor{}, fmt.Errorf("tensor %q: %w", name, err)
	}
	return Tensor{DType: t, Shape: shape, Bytes: b}, nil
}

// readFull fills b from off on; a source that ends early is an error.
func readFull(src io.ReaderAt, b []byte, off int64) error {
	n, err := src.ReadAt(b, off)
	if n == len(b) {
		return nil
	}
	if err == nil || err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
