package job

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/url"
	"path/filepath"
	"strings"
	"unicode/utf8"
)

// maxLineBytes bounds a manifest line; a longer one is not a question about a video.
const maxLineBytes = 1 << 20

// LineError is a manifest line that cannot be an item.
type LineError struct {
	File  string
	Line  int    // 1-based
	Field string // empty where the line as a whole is wrong
	Msg   string
}

// Error prints file:line: field: message.
func (e *LineError) Error() string {
	if e.Field == "" {
		return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Msg)
	}
	return fmt.Sprintf("%s:%d: %s: %s", e.File, e.Line, e.Field, e.Msg)
}

// ReadManifest yields the items of a manifest in order, in one streaming pass.
// file names it in errors; relative video paths resolve against dir. A bad line
// yields a *LineError and reading goes on; any other error ends the sequence.
// Blank lines are skipped. Memory: 20 bytes or so an item, to find duplicate ids.
func ReadManifest(r io.Reader, file, dir string) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		ids := map[[16]byte]int{}
		for line, err := range lines(r, file) {
			if err != nil {
				if !yield(Item{Line: line.number}, err) || !isLineError(err) {
					return
				}
				continue
			}
			item, err := parseLine(line.text, dir)
			item.Line = line.number
			if err == nil {
				err = noteID(ids, item)
			}
			if !yield(item, atLine(err, file, line.number)) {
				return
			}
		}
	}
}

func isLineError(err error) bool {
	var le *LineError
	return errors.As(err, &le)
}

func atLine(err error, file string, number int) error {
	if err == nil {
		return nil
	}
	le := &LineError{File: file, Line: number, Msg: err.Error()}
	var fe *FieldError
	if errors.As(err, &fe) {
		le.Field, le.Msg = fe.Field, fe.Msg
	}
	return le
}

func noteID(ids map[[16]byte]int, item Item) error {
	sum := sha256.Sum256([]byte(item.ID))
	key := [16]byte(sum[:16])
	if earlier, twice := ids[key]; twice {
		return &FieldError{Field: "id", Msg: fmt.Sprintf("%q stands on line %d already", item.ID, earlier)}
	}
	ids[key] = item.Line
	return nil
}

type numberedLine struct {
	number int
	text   []byte
}

// lines yields the non-blank lines of r, each valid only until the next.
func lines(r io.Reader, file string) iter.Seq2[numberedLine, error] {
	return func(yield func(numberedLine, error) bool) {
		scanner := bufio.NewScanner(r)
		scanner.Buffer(nil, maxLineBytes)
		number := 0
		for scanner.Scan() {
			number++
			text := bytes.TrimSpace(bytes.TrimPrefix(scanner.Bytes(), []byte("\uFEFF")))
			if len(text) > 0 && !yield(numberedLine{number, text}, nil) {
				return
			}
		}
		switch err := scanner.Err(); {
		case errors.Is(err, bufio.ErrTooLong):
			yield(numberedLine{number: number + 1}, fmt.Errorf("%s:%d: the line is longer than %d bytes", file, number+1, maxLineBytes))
		case err != nil:
			yield(numberedLine{number: number + 1}, fmt.Errorf("read %s: %w", file, err))
		}
	}
}

// manifestLine is a line as users write it.
type manifestLine struct {
	ID       *string         `json:"id"`
	Video    *string         `json:"video"`
	Question *string         `json:"question"`
	Options  []string        `json:"options"`
	Answer   json.RawMessage `json:"answer"`
	Query    string          `json:"query"`
	Start    *float64        `json:"start"`
	End      *float64        `json:"end"`
	Metadata json.RawMessage `json:"metadata"`
}

func parseLine(text []byte, dir string) (Item, error) {
	if !utf8.Valid(text) {
		return Item{}, errors.New("not UTF-8")
	}
	var raw manifestLine
	parse := strict
	if isBatchLine(text) {
		parse = parseBatchLine
	}
	if err := parse(text, &raw); err != nil {
		return Item{}, err
	}
	return raw.item(dir)
}

// strict decodes one JSON object and nothing else, refusing unknown fields.
func strict(text []byte, raw *manifestLine) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(raw); err != nil {
		return jsonError(err)
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("more than one JSON value on the line")
	}
	return nil
}

func jsonError(err error) error {
	var wrongType *json.UnmarshalTypeError
	switch {
	case errors.As(err, &wrongType) && wrongType.Field != "":
		return &FieldError{Field: wrongType.Field, Msg: fmt.Sprintf("is a %s; want %s", wrongType.Value, wrongType.Type)}
	case errors.As(err, &wrongType):
		return fmt.Errorf("is a JSON %s; want one object", wrongType.Value)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("the JSON object is cut short")
	}
	return errors.New(strings.TrimPrefix(err.Error(), "json: "))
}

func (raw manifestLine) item(dir string) (Item, error) {
	item := Item{
		Options: raw.Options, Query: strings.TrimSpace(raw.Query),
		Start: raw.Start, End: raw.End, Metadata: raw.Metadata,
	}
	err := first(
		required("id", raw.ID, &item.ID),
		required("video", raw.Video, &item.Video),
		required("question", raw.Question, &item.Question),
		checkOptions(raw.Options),
		checkSpan(raw.Start, raw.End),
		checkMetadata(raw.Metadata),
	)
	if err != nil {
		return Item{}, err
	}
	if item.Video, err = resolveVideo(item.Video, dir); err != nil {
		return Item{}, err
	}
	item.Gold, err = parseGold(raw.Answer, raw.Options)
	return item, err
}

func required(field string, value, into *string) error {
	if value == nil || strings.TrimSpace(*value) == "" {
		return &FieldError{Field: field, Msg: "missing or empty"}
	}
	*into = *value
	return nil
}

func checkOptions(options []string) error {
	if len(options) == 1 || len(options) > 26 {
		return &FieldError{Field: "options", Msg: fmt.Sprintf("has %d; want 2 to 26, or none for a free answer", len(options))}
	}
	for i, option := range options {
		if strings.TrimSpace(option) == "" {
			return &FieldError{Field: fmt.Sprintf("options[%d]", i), Msg: "is empty"}
		}
	}
	return nil
}

func checkSpan(start, end *float64) error {
	switch {
	case start != nil && *start < 0:
		return &FieldError{Field: "start", Msg: fmt.Sprintf("%g: want 0 or more seconds", *start)}
	case end != nil && *end <= 0:
		return &FieldError{Field: "end", Msg: fmt.Sprintf("%g: want more than 0 seconds", *end)}
	case start != nil && end != nil && *end <= *start:
		return &FieldError{Field: "end", Msg: fmt.Sprintf("%g s is not after start, %g s", *end, *start)}
	}
	return nil
}

func checkMetadata(metadata json.RawMessage) error {
	if len(metadata) == 0 || metadata[0] == '{' {
		return nil
	}
	return &FieldError{Field: "metadata", Msg: "want a JSON object"}
}

// resolveVideo makes a local path absolute; s3:// and https:// addresses stay.
func resolveVideo(video, dir string) (string, error) {
	scheme, _, isURL := strings.Cut(video, "://")
	if !isURL {
		if !filepath.IsAbs(video) {
			video = filepath.Join(dir, video)
		}
		return filepath.Clean(video), nil
	}
	u, err := url.Parse(video)
	switch {
	case err != nil:
		return "", &FieldError{Field: "video", Msg: "not a well-formed address"}
	case scheme == "file":
		return filepath.Clean(u.Path), nil
	case scheme == "s3" && u.Host != "" && len(u.Path) > 1:
		return video, nil
	case scheme == "https" && u.Host != "" && u.User == nil:
		return video, nil
	}
	return "", &FieldError{Field: "video", Msg: "want a file path, s3://bucket/key or https://host/path without credentials"}
}
