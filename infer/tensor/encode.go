package tensor

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"sort"
	"unicode/utf8"
)

// Encode is the file's bytes. Equal files make equal bytes.
func Encode(f *File) ([]byte, error) {
	body, err := Body(f)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(body)
}

// Body reads the file's bytes without copying its tensors, which must stay
// unchanged meanwhile. It is what a store's Put takes.
func Body(f *File) (*io.SectionReader, error) {
	names, err := f.dataOrder()
	if err != nil {
		return nil, err
	}
	head, err := f.header(names)
	if err != nil {
		return nil, err
	}
	parts := newParts(head)
	for _, name := range names {
		parts.add(f.Tensors[name].Bytes)
	}
	return io.NewSectionReader(parts, 0, parts.size()), nil
}

// dataOrder checks every tensor and orders their names as their data lies.
func (f *File) dataOrder() ([]string, error) {
	names := slices.Sorted(maps.Keys(f.Tensors))
	for _, name := range names {
		if name == metadataKey || !utf8.ValidString(name) {
			return nil, fmt.Errorf("tensor %q: the name is reserved or not UTF-8", name)
		}
		if err := f.Tensors[name].validate(); err != nil {
			return nil, fmt.Errorf("tensor %q: %w", name, err)
		}
	}
	slices.SortStableFunc(names, func(a, b string) int {
		return cmp.Compare(f.Tensors[b].DType.Size(), f.Tensors[a].DType.Size())
	})
	return names, nil
}

// header is the length, the JSON and its padding, for tensors that lie in the order of names.
func (f *File) header(names []string) ([]byte, error) {
	b := bytes.NewBuffer(make([]byte, 8, 256))
	b.WriteByte('{')
	if len(f.Metadata) > 0 {
		for k, v := range f.Metadata {
			if !utf8.ValidString(k) || !utf8.ValidString(v) {
				return nil, fmt.Errorf("metadata %q: %q is not UTF-8", k, v)
			}
		}
		writeEntry(b, metadataKey, f.Metadata)
	}
	offset := int64(0)
	for _, name := range names {
		t := f.Tensors[name]
		end := offset + int64(len(t.Bytes))
		writeEntry(b, name, entry{t.DType, append([]int{}, t.Shape...), [2]int64{offset, end}})
		offset = end
	}
	b.WriteByte('}')
	for b.Len()%8 != 0 {
		b.WriteByte(' ')
	}
	n := b.Len() - 8
	if n > maxHeader {
		return nil, fmt.Errorf("header of %d bytes; at most %d", n, maxHeader)
	}
	binary.LittleEndian.PutUint64(b.Bytes(), uint64(n))
	return b.Bytes(), nil
}

// entry is a tensor's description in the header.
type entry struct {
	DType   DType    `json:"dtype"`
	Shape   []int    `json:"shape"`
	Offsets [2]int64 `json:"data_offsets"`
}

// writeEntry appends "key":value, with a comma unless it is the first. Strings,
// numbers and maps of strings always marshal.
func writeEntry(b *bytes.Buffer, key string, value any) {
	if last := b.Bytes()[b.Len()-1]; last != '{' {
		b.WriteByte(',')
	}
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	for i, v := range []any{key, value} {
		if err := enc.Encode(v); err != nil {
			panic(fmt.Sprintf("tensor: marshal header entry %q: %v", key, err))
		}
		b.Truncate(b.Len() - 1) // Encode ends with a newline
		if i == 0 {
			b.WriteByte(':')
		}
	}
}

// parts is an io.ReaderAt over byte slices laid end to end.
type parts struct {
	slices [][]byte
	ends   []int64 // of slices[i], ascending
}

func newParts(first []byte) *parts {
	p := &parts{}
	p.add(first)
	return p
}

func (p *parts) add(b []byte) {
	p.slices = append(p.slices, b)
	p.ends = append(p.ends, p.size()+int64(len(b)))
}

func (p *parts) size() int64 {
	if len(p.ends) == 0 {
		return 0
	}
	return p.ends[len(p.ends)-1]
}

// ReadAt implements io.ReaderAt.
func (p *parts) ReadAt(dst []byte, off int64) (int, error) {
	n := 0
	first := sort.Search(len(p.ends), func(i int) bool { return p.ends[i] > off })
	for i := first; i < len(p.slices) && n < len(dst); i++ {
		begin := p.ends[i] - int64(len(p.slices[i]))
		n += copy(dst[n:], p.slices[i][off+int64(n)-begin:])
	}
	if n < len(dst) {
		return n, io.EOF
	}
	return n, nil
}
