package job

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
)

// ReadLines reads what WriteLines wrote: the Items of a page, the Records of one.
// An error names the line.
func ReadLines[T any](text []byte) ([]T, error) {
	var all []T
	dec := json.NewDecoder(bytes.NewReader(text))
	for {
		var one T
		switch err := dec.Decode(&one); err {
		case nil:
			all = append(all, one)
		case io.EOF:
			return all, nil
		default:
			return nil, fmt.Errorf("line %d: %w", len(all)+1, err)
		}
	}
}

// WriteLines writes JSON lines; questions keep their <, > and & as they are.
func WriteLines[T any](all []T) ([]byte, error) {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	for _, one := range all {
		if err := enc.Encode(one); err != nil {
			return nil, err
		}
	}
	return text.Bytes(), nil
}
