package tensor

import (
	"fmt"
	"math"
	"math/bits"
)

// Element is what a Dense may hold.
type Element interface {
	uint8 | Float16 | float32 | float64 | int32 | int64
}

// Shape lists the extents of an array, outermost first. The empty shape is a scalar's.
type Shape []int

// Size is the number of elements: the product of the extents.
func (s Shape) Size() (int, error) {
	n := uint64(1)
	for _, d := range s {
		if d < 0 {
			return 0, fmt.Errorf("shape %v has a negative extent", []int(s))
		}
		hi, lo := bits.Mul64(n, uint64(d))
		if hi != 0 || lo > math.MaxInt {
			return 0, fmt.Errorf("shape %v overflows", []int(s))
		}
		n = lo
	}
	return int(n), nil
}

// Dense is a row-major array: len(Data) is the product of Shape.
type Dense[T Element] struct {
	Shape Shape
	Data  []T
}

// New is an array of zeros. It panics if the shape is negative or overflows, as make does.
func New[T Element](shape ...int) Dense[T] {
	n, err := Shape(shape).Size()
	if err != nil {
		panic("tensor.New: " + err.Error())
	}
	return Dense[T]{Shape: shape, Data: make([]T, n)}
}

// From wraps data, which it does not copy, in a shape of as many elements.
func From[T Element](data []T, shape ...int) (Dense[T], error) {
	d := Dense[T]{Shape: shape, Data: data}
	return d, d.Validate()
}

// Validate says whether shape and data agree.
func (d Dense[T]) Validate() error {
	n, err := d.Shape.Size()
	if err != nil {
		return err
	}
	if n != len(d.Data) {
		return fmt.Errorf("shape %v wants %d elements, there are %d", []int(d.Shape), n, len(d.Data))
	}
	return nil
}

// Rows is the first extent; a scalar is one row.
func (d Dense[T]) Rows() int {
	if len(d.Shape) == 0 {
		return 1
	}
	return d.Shape[0]
}

// Row is a view of row i of the first axis. Like indexing, it panics outside 0 ≤ i < Rows.
func (d Dense[T]) Row(i int) []T {
	w := len(d.Data) / max(d.Rows(), 1)
	if i < 0 || i >= d.Rows() {
		panic(fmt.Sprintf("tensor: row %d of an array with %d", i, d.Rows()))
	}
	return d.Data[i*w : (i+1)*w : (i+1)*w]
}

// Gather copies the named rows of src, in the order given: [R,…] and n indices make [n,…].
func Gather[T Element](src Dense[T], rows []int) (Dense[T], error) {
	if len(src.Shape) == 0 {
		return Dense[T]{}, fmt.Errorf("gather: a scalar has no rows")
	}
	if err := src.Validate(); err != nil {
		return Dense[T]{}, fmt.Errorf("gather: %w", err)
	}
	shape := append(Shape{len(rows)}, src.Shape[1:]...)
	out := New[T](shape...)
	for i, r := range rows {
		if r < 0 || r >= src.Rows() {
			return Dense[T]{}, fmt.Errorf("gather: row %d (entry %d) is outside 0…%d", r, i, src.Rows()-1)
		}
		copy(out.Row(i), src.Row(r))
	}
	return out, nil
}
