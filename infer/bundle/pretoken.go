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

// splitter cuts text into the pieces within which pairs may merge, in order;
// together they are text, but for a prefix. first says that nothing stands before it.
type splitter interface {
	split(text string, first bool) []string
}

// whole does not cut.
type whole struct{}

func (whole) split(text string, _ bool) []string { return []string{text} }

// metaspace writes spaces as ▁, and one before the text unless it begins with one.
type metaspace struct {
	space  string
	prefix prefixScheme
	cut    bool // before every space
}

// prefixScheme says which texts get a space before them.
type prefixScheme string

const (
	prefixAlways prefixScheme = "always"
	prefixFirst  prefixScheme = "first" // that with nothing before it
	prefixNever  prefixScheme = "never"
)

func (m metaspace) split(text string, first bool) []string {
	text = strings.ReplaceAll(text, " ", m.space)
	prefixed := m.prefix == prefixAlways || m.prefix == prefixFirst && first
	if prefixed && !strings.HasPrefix(text, m.space) {
		text = m.space + text
	}
	if !m.cut {
		return []string{text}
	}
	pieces := strings.Split(text, m.space)
	for i := range pieces[1:] {
		pieces[i+1] = m.space + pieces[i+1]
	}
	if pieces[0] == "" {
		return pieces[1:]
	}
	return pieces
}

// pattern cuts by a regular expression.
type pattern struct {
	re     *regexp.Regexp
	spaces int // group of re whose last character goes to a following word; 0 is none
}

// newPattern compiles a pattern of tokenizer.json. A lookahead other than the usual one is refused.
func newPattern(text string) (pattern, error) {
	body, found := strings.CutSuffix(text, lookahead)
	if found {
		body += `|(\s+)`
	}
	re, err := regexp.Compile(translateSpace(body))
	if err != nil {
		return pattern{}, fmt.Errorf("pre_tokenizer Split: pattern %q is not supported: %w", text, err)
	}
	if !found {
		return pattern{re: re}, nil
	}
	return pattern{re: re, spaces: re.NumSubexp()}, nil
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

func (p pattern) split(text string, _ bool) []string {
	var pieces []string
	for text != "" {
		n := p.next(text)
		pieces = append(pieces, text[:n])
		text = text[n:]
	}
	return pieces
}

// next is the length of text's first piece: a match, or what stands before one.
func (p pattern) next(text string) int {
	at := p.re.FindStringSubmatchIndex(text)
	switch {
	case at == nil || at[1] == 0:
		return len(text)
	case at[0] > 0:
		return at[0]
	case p.spaces > 0 && at[2*p.spaces] == 0:
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
