package tensor

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"unicode/utf8"
)

// header is a safetensors header, checked.
type header struct {
	metadata map[string]string
	tensors  map[string]extent
}

// extent is where a tensor lies.
type extent struct {
	dtype      DType
	shape      Shape
	begin, end int64 // into data
}

// headerLen reads the length prefix of a file of size bytes.
func headerLen(prefix []byte, size int64) (int64, error) {
	if size < 8 || len(prefix) < 8 {
		return 0, fmt.Errorf("safetensors: %d bytes are too few for a header length", size)
	}
	n := binary.LittleEndian.Uint64(prefix)
	switch {
	case n > maxHeader:
		return 0, fmt.Errorf("safetensors: header of %d bytes; at most %d are read", n, maxHeader)
	case n > uint64(size-8):
		return 0, fmt.Errorf("safetensors: header of %d bytes in a file of %d: cut short", n, size)
	}
	return int64(n), nil
}

// parseHeader reads the JSON and checks it against the length of the data after it.
func parseHeader(text []byte, dataLen int64) (*header, error) {
	if len(text) == 0 || text[0] != '{' || !utf8.Valid(text) {
		return nil, errors.New("safetensors: the header is not a JSON object in UTF-8")
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	h := &header{tensors: map[string]extent{}}
	err := eachField(dec, func(name string) (err error) {
		if name == metadataKey {
			h.metadata, err = parseMetadata(dec)
			return err
		}
		h.tensors[name], err = parseExtent(dec)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("safetensors: header: %w", err)
	}
	if rest := bytes.TrimRight(text[dec.InputOffset():], " "); len(rest) > 0 {
		return nil, fmt.Errorf("safetensors: header: %d bytes after its end", len(rest))
	}
	if err := h.checkCover(dataLen); err != nil {
		return nil, fmt.Errorf("safetensors: %w", err)
	}
	return h, nil
}

// checkCover says whether the extents cover 0…dataLen exactly once.
func (h *header) checkCover(dataLen int64) error {
	names := slices.SortedFunc(maps.Keys(h.tensors), func(a, b string) int {
		s, t := h.tensors[a], h.tensors[b]
		return cmp.Or(cmp.Compare(s.begin, t.begin), cmp.Compare(s.end, t.end), cmp.Compare(a, b))
	})
	at, before := int64(0), "the header"
	for _, name := range names {
		x := h.tensors[name]
		switch {
		case x.end > dataLen:
			return fmt.Errorf("tensor %q ends at %d, the data at %d", name, x.end, dataLen)
		case x.begin < at:
			return fmt.Errorf("tensor %q begins at %d, inside %q, which ends at %d", name, x.begin, before, at)
		case x.begin > at:
			return fmt.Errorf("tensor %q begins at %d, leaving a hole after %d", name, x.begin, at)
		}
		at, before = x.end, name
	}
	if at != dataLen {
		return fmt.Errorf("%d bytes after the last tensor", dataLen-at)
	}
	return nil
}

func parseMetadata(dec *json.Decoder) (map[string]string, error) {
	m := map[string]string{}
	err := eachField(dec, func(key string) (err error) {
		m[key], err = parseString(dec)
		return err
	})
	return m, err
}

func parseExtent(dec *json.Decoder) (extent, error) {
	var x extent
	var shape, offsets []int64
	err := eachField(dec, func(key string) (err error) {
		switch key {
		case "dtype":
			var s string
			s, err = parseString(dec)
			x.dtype = DType(s)
		case "shape":
			shape, err = parseInts(dec)
		case "data_offsets":
			offsets, err = parseInts(dec)
		default:
			err = errors.New("no such field")
		}
		return err
	})
	if err != nil {
		return x, err
	}
	if shape == nil || len(offsets) != 2 || offsets[0] > offsets[1] {
		return x, errors.New(`wants "dtype", "shape" and "data_offsets":[begin,end] with begin ≤ end`)
	}
	x.shape = make(Shape, len(shape))
	for i, d := range shape {
		x.shape[i] = int(d)
	}
	x.begin, x.end = offsets[0], offsets[1]
	return x, x.checkSize()
}

func (x extent) checkSize() error {
	want, err := byteSize(x.dtype, x.shape)
	if err != nil {
		return err
	}
	if have := x.end - x.begin; have != want {
		return fmt.Errorf("%s %v takes %d bytes, data_offsets span %d", x.dtype, []int(x.shape), want, have)
	}
	return nil
}

// eachField reads an object, calling read at each value. Keys come once.
func eachField(dec *json.Decoder, read func(key string) error) error {
	if err := parseDelim(dec, '{'); err != nil {
		return err
	}
	seen := map[string]bool{}
	for dec.More() {
		key, err := parseString(dec)
		if err != nil {
			return err
		}
		if seen[key] {
			return fmt.Errorf("%q stands there twice", key)
		}
		seen[key] = true
		if err := read(key); err != nil {
			return fmt.Errorf("%q: %w", key, err)
		}
	}
	return parseDelim(dec, '}')
}

// parseInts reads an array of integers, 0 ≤ i ≤ math.MaxInt; an empty one is not nil.
func parseInts(dec *json.Decoder) ([]int64, error) {
	if err := parseDelim(dec, '['); err != nil {
		return nil, err
	}
	ints := []int64{}
	for dec.More() {
		tok, err := dec.Token()
		if err != nil {
			return nil, err
		}
		number, _ := tok.(json.Number)
		i, err := strconv.ParseUint(number.String(), 10, 63)
		if err != nil || i > math.MaxInt {
			return nil, fmt.Errorf("%v is not an integer in range", tok)
		}
		ints = append(ints, int64(i))
	}
	return ints, parseDelim(dec, ']')
}

func parseString(dec *json.Decoder) (string, error) {
	tok, err := dec.Token()
	if err != nil {
		return "", err
	}
	s, ok := tok.(string)
	if !ok {
		return "", fmt.Errorf("%v is not a string", tok)
	}
	return s, nil
}

func parseDelim(dec *json.Decoder, want json.Delim) error {
	tok, err := dec.Token()
	if err != nil {
		return err
	}
	if tok != want {
		return fmt.Errorf("%v where %v should be", tok, want)
	}
	return nil
}
