package tensor

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// A safetensors file, byte by byte:
//
//	offset      size      content
//	0           8         N: length of the header, unsigned, little-endian; at most 100,000,000
//	8           N         header: one JSON object in UTF-8, begins with '{', padded at its end with spaces
//	8+N         to end    data: the tensors' elements, little-endian, row-major
//
// The header maps every tensor's name to
//
//	{"dtype":"F16","shape":[8,144,128],"data_offsets":[begin,end]}
//
// with offsets into data, and may map "__metadata__" to an object of strings.
// The ranges [begin,end) cover data exactly: no overlap, no hole, nothing after.
//
// Written here, N is a multiple of 8 and tensors lie in order of descending
// element size, then name, so that each is aligned in a file that is; entries
// of the header stand in the same order, and metadata first, sorted by key.
// Equal content makes equal bytes.
//
// Source: github.com/huggingface/safetensors, README, "Format".

const (
	maxHeader   = 100_000_000
	metadataKey = "__metadata__"
)

// File is the content of a safetensors file. Its zero value is an empty file.
type File struct {
	Metadata map[string]string
	Tensors  map[string]Tensor
}

// Tensor is one array of a File, elements as stored.
type Tensor struct {
	DType DType
	Shape Shape
	Bytes []byte // little-endian, row-major
}

// Put sets a tensor of f. The file shares d's memory until it is written;
// a shape that disagrees with its data is refused when it is.
func Put[T Element](f *File, name string, d Dense[T]) {
	if f.Tensors == nil {
		f.Tensors = map[string]Tensor{}
	}
	f.Tensors[name] = Tensor{DType: dtypeOf[T](), Shape: d.Shape, Bytes: littleBytes(d.Data)}
}

// Get is a tensor of f as elements of type T. The array shares f's memory where
// alignment allows (always, in files written here): treat it as read-only.
func Get[T Element](f *File, name string) (Dense[T], error) {
	return lookup(f, name, Elements[T])
}

// Floats is a tensor of f, F16 or F32, in single precision. F32 shares f's memory.
func Floats(f *File, name string) (Dense[float32], error) {
	return lookup(f, name, Tensor.Floats)
}

func lookup[T Element](f *File, name string, read func(Tensor) (Dense[T], error)) (Dense[T], error) {
	t, ok := f.Tensors[name]
	if !ok {
		has := slices.Sorted(maps.Keys(f.Tensors))
		return Dense[T]{}, fmt.Errorf("tensor %q is not in the file, which has %s", name, listed(has))
	}
	d, err := read(t)
	if err != nil {
		return Dense[T]{}, fmt.Errorf("tensor %q: %w", name, err)
	}
	return d, nil
}

// Elements is t as elements of type T; it shares t's memory where alignment allows.
func Elements[T Element](t Tensor) (Dense[T], error) {
	if want := dtypeOf[T](); t.DType != want {
		return Dense[T]{}, fmt.Errorf("elements are %s, want %s", t.DType, want)
	}
	if err := t.validate(); err != nil {
		return Dense[T]{}, err
	}
	return Dense[T]{Shape: t.Shape, Data: elements[T](t.Bytes)}, nil
}

// Floats is t, F16 or F32, in single precision. F32 shares t's memory.
func (t Tensor) Floats() (Dense[float32], error) {
	switch t.DType {
	case F32:
		return Elements[float32](t)
	case F16:
	default:
		return Dense[float32]{}, fmt.Errorf("elements are %s, want F16 or F32", t.DType)
	}
	half, err := Elements[Float16](t)
	if err != nil {
		return Dense[float32]{}, err
	}
	out := Dense[float32]{Shape: half.Shape, Data: make([]float32, len(half.Data))}
	Widen(out.Data, half.Data)
	return out, nil
}

// validate says whether type, shape and bytes agree.
func (t Tensor) validate() error {
	want, err := byteSize(t.DType, t.Shape)
	if err != nil {
		return err
	}
	if want != int64(len(t.Bytes)) {
		return fmt.Errorf("%s %v takes %d bytes, there are %d", t.DType, []int(t.Shape), want, len(t.Bytes))
	}
	return nil
}

// byteSize is the length of a tensor's data.
func byteSize(t DType, s Shape) (int64, error) {
	if t.Size() == 0 {
		return 0, fmt.Errorf("dtype %q is not known", t)
	}
	n, err := s.Size()
	if err != nil {
		return 0, err
	}
	if _, err := (Shape{n, t.Size()}).Size(); err != nil {
		return 0, fmt.Errorf("%s %v overflows", t, []int(s))
	}
	return int64(n) * int64(t.Size()), nil
}

func listed(names []string) string {
	const most = 8
	switch {
	case len(names) == 0:
		return "none"
	case len(names) > most:
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}
