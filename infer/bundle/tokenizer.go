package bundle

import (
	"fmt"
	"regexp"
	"strings"
)

// Tokenizer turns text into token ids and back: byte-level BPE as the
// `tokenizers` library reads it from a tokenizer.json. It is safe for concurrent use.
//
// No beginning or end token is added: the prompt says where those stand.
type Tokenizer struct {
	splitter splitter
	bytes    [256]int32 // ids of single bytes
	merges   map[pair]merge
	text     map[int32]string // bytes of an id; specials as written
	added    map[string]int32
	special  map[int32]bool
	marks    *regexp.Regexp // any added token, the longest first; nil without one
}

// Text is a stretch of a prompt. In literal text (a template's) added tokens such
// as <|im_start|> count; in a user's they are letters like any other, so that a
// question cannot write a turn of the conversation.
type Text struct {
	Text    string
	Literal bool
}

// Encode returns the ids of s, added tokens recognised. Bytes that are no UTF-8 become U+FFFD.
func (t *Tokenizer) Encode(s string) []int32 {
	return t.EncodeTexts([]Text{{Text: s, Literal: true}})
}

// EncodeTexts returns the ids of the texts as one string: pieces and merges cross their borders.
func (t *Tokenizer) EncodeTexts(texts []Text) []int32 {
	var ids []int32
	var plain strings.Builder
	flush := func() {
		ids = append(ids, t.encodePlain(plain.String())...)
		plain.Reset()
	}
	for _, text := range texts {
		rest := text.Text
		for at := t.mark(text.Literal, rest); at != nil; at = t.mark(text.Literal, rest) {
			plain.WriteString(rest[:at[0]])
			flush()
			ids = append(ids, t.added[rest[at[0]:at[1]]])
			rest = rest[at[1]:]
		}
		plain.WriteString(rest)
	}
	flush()
	return ids
}

// mark finds the first added token in literal text.
func (t *Tokenizer) mark(literal bool, s string) []int {
	if !literal || t.marks == nil {
		return nil
	}
	return t.marks.FindStringIndex(s)
}

func (t *Tokenizer) encodePlain(s string) []int32 {
	var ids []int32
	for _, piece := range t.splitter.split(strings.ToValidUTF8(s, "\ufffd")) {
		ids = append(ids, mergePairs(t.byteIDs(piece), t.merges)...)
	}
	return ids
}

func (t *Tokenizer) byteIDs(piece string) []int32 {
	ids := make([]int32, len(piece))
	for i := range len(piece) {
		ids[i] = t.bytes[piece[i]]
	}
	return ids
}

// Decode returns the text of ids, special tokens left out. Bytes that are no
// UTF-8 become U+FFFD, one a run. An id out of range is an error.
func (t *Tokenizer) Decode(ids []int32) (string, error) {
	var out strings.Builder
	for _, id := range ids {
		text, ok := t.text[id]
		if !ok {
			return "", fmt.Errorf("decode token %d: the tokenizer has no such id", id)
		}
		if !t.special[id] {
			out.WriteString(text)
		}
	}
	return strings.ToValidUTF8(out.String(), "\ufffd"), nil
}

// Size is one more than the highest id.
func (t *Tokenizer) Size() int {
	size := int32(0)
	for id := range t.text {
		size = max(size, id+1)
	}
	return int(size)
}
