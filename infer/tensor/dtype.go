package tensor

import (
	"bytes"
	"encoding/binary"
	"slices"
	"unsafe"
)

// DType is an element type as safetensors spells it.
type DType string

// The element types that Dense can hold.
const (
	U8  DType = "U8"
	F16 DType = "F16"
	F32 DType = "F32"
	F64 DType = "F64"
	I32 DType = "I32"
	I64 DType = "I64"
)

// Size is the bytes of one element, 0 for a type this package does not know.
// Types that Dense cannot hold are known too, so that a file with one such
// tensor is still readable for its others.
func (t DType) Size() int {
	switch t {
	case U8, "I8", "BOOL", "F8_E4M3", "F8_E5M2":
		return 1
	case F16, "BF16", "I16", "U16":
		return 2
	case F32, I32, "U32":
		return 4
	case F64, I64, "U64":
		return 8
	}
	return 0
}

func dtypeOf[T Element]() DType {
	var zero T
	switch any(zero).(type) {
	case uint8:
		return U8
	case Float16:
		return F16
	case float32:
		return F32
	case float64:
		return F64
	case int32:
		return I32
	default:
		return I64
	}
}

// littleHost says whether this machine keeps numbers in the file's byte order.
func littleHost() bool { return binary.NativeEndian.Uint16([]byte{1, 0}) == 1 }

// elements reads little-endian bytes as elements: a view where the host and the alignment allow it, else a copy.
func elements[T Element](b []byte) []T {
	var zero T
	n := len(b) / int(unsafe.Sizeof(zero))
	if n == 0 {
		return []T{}
	}
	if littleHost() && uintptr(unsafe.Pointer(&b[0]))%unsafe.Alignof(zero) == 0 {
		return unsafe.Slice((*T)(unsafe.Pointer(&b[0])), n)
	}
	out := make([]T, n)
	copy(hostBytes(out), b)
	if !littleHost() {
		reverseEach(hostBytes(out), int(unsafe.Sizeof(zero)))
	}
	return out
}

// littleBytes is the little-endian form of data: a view where the host allows it, else a copy.
func littleBytes[T Element](data []T) []byte {
	var zero T
	b := hostBytes(data)
	if littleHost() {
		return b
	}
	b = bytes.Clone(b)
	reverseEach(b, int(unsafe.Sizeof(zero)))
	return b
}

// hostBytes views data as its bytes in memory.
func hostBytes[T Element](data []T) []byte {
	if len(data) == 0 {
		return []byte{}
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(&data[0])), len(data)*int(unsafe.Sizeof(data[0])))
}

// reverseEach reverses every element of size bytes in place.
func reverseEach(b []byte, size int) {
	for ; len(b) >= size; b = b[size:] {
		slices.Reverse(b[:size])
	}
}
