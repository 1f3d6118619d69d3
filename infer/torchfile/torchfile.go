// Package torchfile writes single tensors as torch.save does, so that
// torch.load(weights_only=True) reads them. A tensor's bytes go in, a stream
// comes out; nothing is held. infer/vllm sends prompts so.
package torchfile

import (
	"archive/zip"
	"encoding/binary"
	"fmt"
	"io"
	"math"

	"github.com/winnow-video/winnow/infer/tensor"
)

// The format is a ZIP file whose entries are stored, not compressed:
//
//	archive/data.pkl    the tensor as a pickle of protocol 2; its storage is named by a persistent id
//	archive/byteorder   "little"
//	archive/data/0      the storage: elements, little-endian, row-major
//	archive/version     "3\n"
//
// torch.save writes three entries more (.format_version, .storage_alignment,
// .data/serialization_id) and pads storages to 64 bytes; torch.load needs neither.
//
// Source: torch/serialization.py, _save and _load; caffe2/serialize/inline_container.h.

// BF16 is the upper half of a single-precision number.
const BF16 tensor.DType = "BF16"

// storages are torch's names of storages, by the types that can be written.
func storages() map[tensor.DType]string {
	return map[tensor.DType]string{tensor.F16: "HalfStorage", BF16: "BFloat16Storage", tensor.F32: "FloatStorage"}
}

// Write writes t, F16, BF16 or F32 [rows,columns].
func Write(w io.Writer, t tensor.Tensor) error {
	pickled, err := pickle(t)
	if err != nil {
		return err
	}
	z := zip.NewWriter(w)
	for _, entry := range []struct {
		name    string
		content []byte
	}{
		{"data.pkl", pickled}, {"byteorder", []byte("little")}, {"data/0", t.Bytes}, {"version", []byte("3\n")},
	} {
		to, err := z.CreateHeader(&zip.FileHeader{Name: "archive/" + entry.name, Method: zip.Store})
		if err != nil {
			return err
		}
		if _, err := to.Write(entry.content); err != nil {
			return err
		}
	}
	return z.Close()
}

// Size is how many bytes Write writes.
func Size(t tensor.Tensor) (int64, error) {
	var n counter
	err := Write(&n, t)
	return int64(n), err
}

type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

// pickle is torch._utils._rebuild_tensor_v2(storage, 0, shape, strides, False,
// OrderedDict()), byte for byte as Python's pickler writes it.
func pickle(t tensor.Tensor) ([]byte, error) {
	storage, known := storages()[t.DType]
	if !known || len(t.Shape) != 2 {
		return nil, fmt.Errorf("torch file of %s %v: want F16, BF16 or F32 [rows,columns]", t.DType, []int(t.Shape))
	}
	n, err := t.Shape.Size()
	if err != nil {
		return nil, err
	}
	if n > math.MaxInt32 || len(t.Bytes) != n*t.DType.Size() {
		return nil, fmt.Errorf("torch file of %s %v: %d bytes", t.DType, []int(t.Shape), len(t.Bytes))
	}
	rows, columns := t.Shape[0], t.Shape[1]
	p := pickler("\x80\x02")
	p.put("ctorch._utils\n_rebuild_tensor_v2\n", "q\x00((")
	p.text("storage", 1)
	p.put("ctorch\n"+storage+"\n", "q\x02")
	p.text("0", 3)
	p.text("cpu", 4)
	p.number(n)
	p.put("tq\x05Q") // the storage's persistent id
	p.number(0)      // its offset
	p.number(rows)
	p.number(columns)
	p.put("\x86q\x06")
	p.number(columns)
	p.number(1)
	p.put("\x86q\x07\x89", "ccollections\nOrderedDict\n", "q\x08)Rq\ttq\nRq\x0b.")
	return p, nil
}

// pickler appends opcodes of protocol 2.
type pickler []byte

func (p *pickler) put(opcodes ...string) {
	for _, code := range opcodes {
		*p = append(*p, code...)
	}
}

// text appends a string and remembers it under a number.
func (p *pickler) text(s string, memo byte) {
	*p = binary.LittleEndian.AppendUint32(append(*p, 'X'), uint32(len(s)))
	*p = append(append(*p, s...), 'q', memo)
}

// number appends n ≥ 0 in the shortest form.
func (p *pickler) number(n int) {
	switch {
	case n <= math.MaxUint8:
		*p = append(*p, 'K', byte(n))
	case n <= math.MaxUint16:
		*p = binary.LittleEndian.AppendUint16(append(*p, 'M'), uint16(n))
	default:
		*p = binary.LittleEndian.AppendUint32(append(*p, 'J'), uint32(n))
	}
}
