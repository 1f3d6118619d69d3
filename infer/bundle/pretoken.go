package bundle

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

// gpt2Pattern is what a ByteLevel pre-tokenizer with use_regex splits by (tokenizers, byte_level.rs).
const gpt2Pattern = `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`

// lookahead is the one lookahead in use: white space that leaves its last
// character to a following word. RE2 has none, so splitter does it by hand.
const lookahead = `|\s+(?!\S)|\s+`

// unicodeSpace is \s as tokenizers means it; RE2's is ASCII without \v.
const unicodeSpace = `\t-\r\x{20}\x{85}\p{Z}`

// splitter cuts text into the pieces within which byte pairs may merge.
type splitter struct {
	pattern *regexp.Regexp
	spaces  int // group of pattern whose last character goes to a following word; 0 is none
}

// newSplitter compiles a pattern of tokenizer.json. A lookahead other than the usual one is refused.
func newSplitter(pattern string) (splitter, error) {
	body, found := strings.CutSuffix(pattern, lookahead)
	if found {
		body += `|(\s+)`
	}
	re, err := regexp.Compile(translateSpace(body))
	if err != nil {
		return splitter{}, fmt.Errorf("pre_tokenizer pattern %q: %w", pattern, err)
	}
	if !found {
		return splitter{pattern: re}, nil
	}
	return splitter{pattern: re, spaces: re.NumSubexp()}, nil
}

// translateSpace writes \s out, inside and outside of character classes.
func translateSpace(pattern string) string {
	var out strings.Builder
	class := false
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; {
		case c == '\\' && i+1 < len(pattern):
			i++
			out.WriteString(translateEscape(pattern[i], class))
		default:
			class = c == '[' || class && c != ']'
			out.WriteByte(c)
		}
	}
	return out.String()
}

func translateEscape(c byte, class bool) string {
	switch {
	case c == 's' && class:
		return unicodeSpace
	case c == 's':
		return "[" + unicodeSpace + "]"
	}
	return `\` + string(c)
}

// split returns text's pieces in order; together they are text.
func (s splitter) split(text string) []string {
	var pieces []string
	for text != "" {
		n := s.next(text)
		pieces = append(pieces, text[:n])
		text = text[n:]
	}
	return pieces
}

// next is the length of text's first piece: a match, or what stands before one.
func (s splitter) next(text string) int {
	at := s.pattern.FindStringSubmatchIndex(text)
	switch {
	case at == nil || at[1] == 0:
		return len(text)
	case at[0] > 0:
		return at[0]
	case s.spaces > 0 && at[2*s.spaces] == 0:
		return yieldLast(text, at[1])
	}
	return at[1]
}

// yieldLast shortens the spaces text[:end] by the last one, unless it is the only one or text ends.
func yieldLast(text string, end int) int {
	_, last := utf8.DecodeLastRuneInString(text[:end])
	if end == len(text) || last == end {
		return end
	}
	return end - last
}
