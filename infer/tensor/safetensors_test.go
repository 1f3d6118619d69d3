package tensor

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"
	"unsafe"

	"github.com/google/go-cmp/cmp"
)

// file lays out a safetensors file by hand.
func file(header string, data ...byte) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(b, header...), data...)
}

func TestEncodeBytes(t *testing.T) {
	t.Parallel()
	f := &File{Metadata: map[string]string{"b": "2", "a": "<1>"}}
	Put(f, "u", Dense[uint8]{Shape{1}, []uint8{7}})
	Put(f, "b", Dense[Float16]{Shape{1, 1}, []Float16{0x3c00}})
	Put(f, "a", Dense[Float16]{Shape{0}, nil})
	Put(f, "z", Dense[int64]{Shape{}, []int64{-2}})
	got, err := Encode(f)
	if err != nil {
		t.Fatal(err)
	}
	header := `{"__metadata__":{"a":"<1>","b":"2"},` +
		`"z":{"dtype":"I64","shape":[],"data_offsets":[0,8]},` +
		`"a":{"dtype":"F16","shape":[0],"data_offsets":[8,8]},` +
		`"b":{"dtype":"F16","shape":[1,1],"data_offsets":[8,10]},` +
		`"u":{"dtype":"U8","shape":[1],"data_offsets":[10,11]}}`
	header += strings.Repeat(" ", -len(header)&7)
	want := file(header, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00, 0x3c, 7)
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Error(diff)
	}
}

func TestEncodeRefuses(t *testing.T) {
	t.Parallel()
	wrong := Dense[float32]{Shape{2}, []float32{1}}
	for _, c := range []struct {
		name string
		file File
		want string
	}{
		{"shape", File{Tensors: map[string]Tensor{"x": {F32, wrong.Shape, littleBytes(wrong.Data)}}}, `tensor "x": F32 [2] takes 8 bytes, there are 4`},
		{"dtype", File{Tensors: map[string]Tensor{"x": {"F4", Shape{0}, nil}}}, `tensor "x": dtype "F4" is not known`},
		{"name", File{Tensors: map[string]Tensor{"__metadata__": {U8, Shape{0}, nil}}}, "reserved"},
		{"name not UTF-8", File{Tensors: map[string]Tensor{"\xff": {U8, Shape{0}, nil}}}, "not UTF-8"},
		{"metadata not UTF-8", File{Metadata: map[string]string{"k": "\xff"}}, "not UTF-8"},
	} {
		if _, err := Encode(&c.file); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	four := []byte{1, 2, 3, 4}
	entry := func(dtype, shape, offsets string) string {
		return fmt.Sprintf(`{"x":{"dtype":%s,"shape":%s,"data_offsets":%s}}`, dtype, shape, offsets)
	}
	for _, c := range []struct {
		name string
		in   []byte
		want string
	}{
		{"empty", nil, "too few"},
		{"header length past the end", file(`{}`)[:9], "cut short"},
		{"header length over the cap", binary.LittleEndian.AppendUint64(nil, maxHeader+1), "at most"},
		{"header length that overflows", binary.LittleEndian.AppendUint64(nil, 1<<63), "at most"},
		{"no header", file(``), "not a JSON object"},
		{"leading space", file(` {}`), "not a JSON object"},
		{"not UTF-8", file("{\"\xff\":1}"), "not a JSON object in UTF-8"},
		{"array", file(`[]`), "not a JSON object"},
		{"cut JSON", file(`{"x":`), "x"},
		{"text after the header", file(`{} x`), "2 bytes after its end"},
		{"newline after the header", file("{}\n"), "after its end"},
		{"name twice", file(`{"x":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"x":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}`), `"x" stands there twice`},
		{"name twice, once escaped", file(`{"x":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"\u0078":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}`), `twice`},
		{"metadata twice", file(`{"__metadata__":{},"__metadata__":{}}`), "twice"},
		{"metadata number", file(`{"__metadata__":{"a":1}}`), `"a": 1 is not a string`},
		{"metadata null", file(`{"__metadata__":null}`), "should be"},
		{"tensor null", file(`{"x":null}`), `"x"`},
		{"unknown field", file(`{"x":{"DType":"U8"}}`), `"x": "DType": no such field`},
		{"field twice", file(`{"x":{"dtype":"U8","dtype":"F32"}}`), `"x": "dtype" stands there twice`},
		{"field missing", file(`{"x":{"dtype":"U8","shape":[4]}}`, four...), `"x": wants`},
		{"unknown dtype", file(entry(`"F4"`, `[4]`, `[0,4]`), four...), `"x": dtype "F4" is not known`},
		{"dtype null", file(entry(`null`, `[4]`, `[0,4]`), four...), `"x"`},
		{"shape null", file(entry(`"U8"`, `null`, `[0,4]`), four...), `"x"`},
		{"extent null", file(entry(`"U8"`, `[null]`, `[0,0]`)), `"x"`},
		{"negative extent", file(entry(`"U8"`, `[-4]`, `[0,4]`), four...), "-4 is not an integer in range"},
		{"fraction", file(entry(`"U8"`, `[4.0]`, `[0,4]`), four...), "4.0 is not an integer"},
		{"extent too large", file(entry(`"U8"`, `[9223372036854775808]`, `[0,4]`), four...), "not an integer in range"},
		{"shape overflows", file(entry(`"U8"`, `[4294967296,4294967296]`, `[0,0]`)), "overflows"},
		{"bytes overflow", file(entry(`"F64"`, `[2305843009213693952]`, `[0,0]`)), "overflows"},
		{"size mismatch", file(entry(`"F32"`, `[2]`, `[0,4]`), four...), `"x": F32 [2] takes 8 bytes, data_offsets span 4`},
		{"offsets reversed", file(entry(`"U8"`, `[0]`, `[4,0]`), four...), "begin ≤ end"},
		{"three offsets", file(entry(`"U8"`, `[4]`, `[0,4,4]`), four...), "begin ≤ end"},
		{"past the end", file(entry(`"U8"`, `[8]`, `[0,8]`), four...), `tensor "x" ends at 8, the data at 4`},
		{"hole", file(entry(`"U8"`, `[3]`, `[1,4]`), four...), `tensor "x" begins at 1, leaving a hole after 0`},
		{"garbage", file(entry(`"U8"`, `[3]`, `[0,3]`), four...), "1 bytes after the last tensor"},
		{"overlap", file(`{"x":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},"y":{"dtype":"U8","shape":[2],"data_offsets":[2,4]}}`, four...),
			`tensor "y" begins at 2, inside "x"`},
		{"trailing comma", file(`{"__metadata__":{},}`), "header"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if _, err := Decode(c.in); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Decode: %v, want %q", err, c.want)
			}
			if _, err := NewReader(bytes.NewReader(c.in), int64(len(c.in))); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("NewReader: %v, want %q", err, c.want)
			}
		})
	}
}

func TestDecodeAccepts(t *testing.T) {
	t.Parallel()
	for name, in := range map[string][]byte{
		"empty":                    file(`{}`),
		"padding":                  file(`{}      `),
		"unaligned, any order":     file(`{"y":{"dtype":"F32","shape":[1],"data_offsets":[1,5]},"x":{"shape":[1],"data_offsets":[0,1],"dtype":"BOOL"}}`, 1, 0, 0, 128, 63),
		"empty tensors anywhere":   file(`{"a":{"dtype":"U8","shape":[0],"data_offsets":[1,1]},"b":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, 1),
		"types Dense has not":      file(`{"a":{"dtype":"BF16","shape":[1],"data_offsets":[0,2]}}`, 1, 2),
		"empty metadata and names": file(`{"__metadata__":{},"":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}`),
	} {
		if _, err := Decode(in); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestGetNamesWhatIsWrong(t *testing.T) {
	t.Parallel()
	f := &File{}
	Put(f, "x", New[int32](2))
	if _, err := Get[float32](f, "x"); err == nil || err.Error() != `tensor "x": elements are I32, want F32` {
		t.Errorf("wrong type: %v", err)
	}
	if _, err := Floats(f, "x"); err == nil || err.Error() != `tensor "x": elements are I32, want F16 or F32` {
		t.Errorf("neither precision: %v", err)
	}
	if _, err := Floats(f, "y"); err == nil || err.Error() != `tensor "y" is not in the file, which has x` {
		t.Errorf("missing: %v", err)
	}
}

func TestFloatsReadsBothPrecisions(t *testing.T) {
	t.Parallel()
	f := &File{}
	Put(f, "half", Dense[Float16]{Shape{2}, []Float16{0x3c00, 0xc000}})
	Put(f, "single", Dense[float32]{Shape{2}, []float32{1, -2}})
	for _, name := range []string{"half", "single"} {
		got, err := Floats(f, name)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(Dense[float32]{Shape{2}, []float32{1, -2}}, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// random is a file of up to 8 tensors of random types and shapes.
func random(rng *rand.Rand) *File {
	f := &File{}
	if rng.IntN(2) == 0 {
		f.Metadata = map[string]string{"k\"é": fmt.Sprint(rng.Uint64()), "": "</>"}
	}
	for i := range rng.IntN(8) {
		shape := make([]int, rng.IntN(4))
		for j := range shape {
			shape[j] = rng.IntN(5)
		}
		name := fmt.Sprintf("%c%d", 'a'+rng.IntN(26), i)
		switch rng.IntN(6) {
		case 0:
			Put(f, name, filled[uint8](rng, shape))
		case 1:
			Put(f, name, filled[Float16](rng, shape))
		case 2:
			Put(f, name, filled[float32](rng, shape))
		case 3:
			Put(f, name, filled[float64](rng, shape))
		case 4:
			Put(f, name, filled[int32](rng, shape))
		case 5:
			Put(f, name, filled[int64](rng, shape))
		}
	}
	return f
}

func filled[T Element](rng *rand.Rand, shape []int) Dense[T] {
	d := New[T](shape...)
	for i := range d.Data {
		d.Data[i] = T(rng.IntN(100))
	}
	return d
}

func same(t *testing.T, want, got *File) {
	t.Helper()
	if len(want.Metadata) != len(got.Metadata) || len(want.Tensors) != len(got.Tensors) {
		t.Fatalf("%v became %v", want, got)
	}
	for k, v := range want.Metadata {
		if got.Metadata[k] != v {
			t.Fatalf("metadata %q: %q became %q", k, v, got.Metadata[k])
		}
	}
	for name, w := range want.Tensors {
		g := got.Tensors[name]
		if w.DType != g.DType || !cmp.Equal(append(Shape{}, w.Shape...), append(Shape{}, g.Shape...)) || !bytes.Equal(w.Bytes, g.Bytes) {
			t.Fatalf("tensor %q: %v became %v", name, w, g)
		}
	}
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		f := random(rng)
		b, err := Encode(f)
		if err != nil {
			t.Fatal(err)
		}
		back, err := Decode(b)
		if err != nil {
			t.Fatalf("%q: %v", b, err)
		}
		same(t, f, back)
		again, err := Encode(back)
		if err != nil || !bytes.Equal(b, again) {
			t.Fatalf("%q encoded again is %q, %v", b, again, err)
		}
		for name, x := range back.Tensors {
			if len(x.Bytes) > 0 && uintptr(unsafe.Pointer(&x.Bytes[0]))%uintptr(x.DType.Size()) != uintptr(unsafe.Pointer(&b[0]))%uintptr(x.DType.Size()) {
				t.Fatalf("tensor %q is not aligned in %q", name, b)
			}
		}
	}
}

func TestBodyReadsLikeAFile(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(3, 4))
	for range 50 {
		f := random(rng)
		want, err := Encode(f)
		if err != nil {
			t.Fatal(err)
		}
		body, err := Body(f)
		if err != nil {
			t.Fatal(err)
		}
		if err := iotest.TestReader(body, want); err != nil {
			t.Fatal(err)
		}
	}
}

func TestElementsViewsWhatIsAligned(t *testing.T) {
	t.Parallel()
	b := append(make([]byte, 0, 32), 0)
	b = append(b, 0, 0, 128, 63, 0, 0, 0, 64)
	got := elements[float32](b[1:])
	if diff := cmp.Diff([]float32{1, 2}, got); diff != "" {
		t.Error(diff)
	}
	if uintptr(unsafe.Pointer(&got[0])) == uintptr(unsafe.Pointer(&b[1])) {
		t.Error("unaligned elements were not copied")
	}
	aligned := elements[float32](b[:8])
	if uintptr(unsafe.Pointer(&aligned[0])) != uintptr(unsafe.Pointer(&b[0])) {
		t.Error("aligned elements were copied")
	}
}

func TestReverseEach(t *testing.T) {
	t.Parallel()
	b := []byte{1, 2, 3, 4, 5, 6, 7, 8}
	reverseEach(b, 4)
	if diff := cmp.Diff([]byte{4, 3, 2, 1, 8, 7, 6, 5}, b); diff != "" {
		t.Error(diff)
	}
}

func TestReader(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(5, 6))
	for range 200 {
		f := random(rng)
		b, err := Encode(f)
		if err != nil {
			t.Fatal(err)
		}
		r, err := NewReader(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			t.Fatal(err)
		}
		back := &File{Metadata: r.Metadata(), Tensors: map[string]Tensor{}}
		for _, name := range r.Names() {
			if back.Tensors[name], err = r.Tensor(name); err != nil {
				t.Fatal(err)
			}
		}
		same(t, f, back)
	}
}

func TestReaderRowRange(t *testing.T) {
	t.Parallel()
	f := &File{}
	Put(f, "pad", New[uint8](3))
	Put(f, "scalar", New[uint8]())
	Put(f, "embed_tokens", Dense[float32]{Shape{3, 2}, []float32{0, 1, 10, 11, 20, 21}})
	b, err := Encode(f)
	if err != nil {
		t.Fatal(err)
	}
	r, err := NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	rows, err := r.RowRange("embed_tokens", 1, 2)
	if err != nil {
		t.Fatal(err)
	}
	got, err := rows.Floats()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Dense[float32]{Shape{2, 2}, []float32{10, 11, 20, 21}}, got); diff != "" {
		t.Error(diff)
	}
	if dtype, shape, err := r.Stat("embed_tokens"); err != nil || dtype != F32 || !cmp.Equal(shape, Shape{3, 2}) {
		t.Errorf("Stat: %v %v %v", dtype, shape, err)
	}
	for _, c := range []struct {
		name     string
		first, n int
	}{{"embed_tokens", 2, 2}, {"embed_tokens", -1, 1}, {"embed_tokens", 0, -1}, {"embed_tokens", 1 << 62, 1 << 62}, {"scalar", 0, 1}, {"absent", 0, 0}} {
		if _, err := r.RowRange(c.name, c.first, c.n); err == nil || !strings.Contains(err.Error(), c.name) || errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%v: %v", c, err)
		}
	}
}

func TestReaderNoticesAShortSource(t *testing.T) {
	t.Parallel()
	f := &File{}
	Put(f, "x", New[float32](4))
	b, err := Encode(f)
	if err != nil {
		t.Fatal(err)
	}
	r, err := NewReader(bytes.NewReader(b[:len(b)-1]), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Tensor("x"); err == nil || !strings.Contains(err.Error(), `tensor "x": `+io.ErrUnexpectedEOF.Error()) {
		t.Errorf("got %v", err)
	}
}

// FuzzDecode: whatever Decode accepts encodes to what decodes to the same, and the Reader agrees.
func FuzzDecode(f *testing.F) {
	rng := rand.New(rand.NewPCG(7, 8))
	for range 20 {
		b, err := Encode(random(rng))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add(file(`{"y":{"dtype":"F32","shape":[1],"data_offsets":[1,5]},"x":{"shape":[1],"data_offsets":[0,1],"dtype":"BOOL"}}`, 1, 0, 0, 128, 63))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := Decode(b)
		if _, rerr := NewReader(bytes.NewReader(b), int64(len(b))); (err == nil) != (rerr == nil) {
			t.Fatalf("Decode: %v, NewReader: %v", err, rerr)
		}
		if err != nil {
			return
		}
		out, err := Encode(got)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Decode(out)
		if err != nil {
			t.Fatal(err)
		}
		same(t, got, again)
	})
}
