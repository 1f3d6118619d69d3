package vllmtest

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/winnow-video/winnow/infer/tensor"
	"github.com/winnow-video/winnow/infer/torchfile"
)

// load reads what torch.save wrote of a tensor [L,E]. It understands no pickle:
// it looks for the storage's type and for the shape where torch puts them, and
// checks them against the bytes there are.
func load(file []byte) (tensor.Dense[float32], error) {
	none := tensor.Dense[float32]{}
	z, err := zip.NewReader(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		return none, err
	}
	entries := map[string][]byte{}
	for _, f := range z.File {
		if entries[f.Name], err = read(f); err != nil {
			return none, err
		}
	}
	if string(entries["archive/byteorder"]) != "little" || string(entries["archive/version"]) != "3\n" {
		return none, errors.New("no byteorder, or no version 3")
	}
	dtype, shape, err := unpickle(entries["archive/data.pkl"])
	if err != nil {
		return none, err
	}
	return widen(dtype, shape, entries["archive/data/0"])
}

func read(f *zip.File) ([]byte, error) {
	r, err := f.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r) // which checks the sum
}

func unpickle(text []byte) (tensor.DType, tensor.Shape, error) {
	for name, dtype := range map[string]tensor.DType{"HalfStorage": tensor.F16, "BFloat16Storage": torchfile.BF16, "FloatStorage": tensor.F32} {
		if !bytes.Contains(text, []byte("ctorch\n"+name+"\n")) {
			continue
		}
		_, after, found := bytes.Cut(text, []byte("tq\x05QK\x00"))
		if !found {
			break
		}
		rows, after := number(after)
		columns, after := number(after)
		if len(after) == 0 || after[0] != 0x86 { // TUPLE2
			break
		}
		return dtype, tensor.Shape{rows, columns}, nil
	}
	return "", nil, fmt.Errorf("no tensor of two dimensions: %q", text)
}

// number reads an integer's opcode; -1 is none.
func number(text []byte) (int, []byte) {
	widths := map[byte]int{'K': 1, 'M': 2, 'J': 4}
	if len(text) == 0 || widths[text[0]] == 0 || len(text) <= widths[text[0]] {
		return -1, text
	}
	n, width := 0, widths[text[0]]
	for i := range width {
		n |= int(text[1+i]) << (8 * i)
	}
	return n, text[1+width:]
}

func widen(dtype tensor.DType, shape tensor.Shape, data []byte) (tensor.Dense[float32], error) {
	n, err := shape.Size()
	if err != nil || n*dtype.Size() != len(data) {
		return tensor.Dense[float32]{}, fmt.Errorf("%s %v of %d bytes, %v", dtype, []int(shape), len(data), err)
	}
	if dtype != torchfile.BF16 {
		return tensor.Tensor{DType: dtype, Shape: shape, Bytes: data}.Floats()
	}
	out := tensor.New[float32](shape...)
	for i := range out.Data {
		out.Data[i] = math.Float32frombits(uint32(data[2*i])<<16 | uint32(data[2*i+1])<<24)
	}
	return out, nil
}
