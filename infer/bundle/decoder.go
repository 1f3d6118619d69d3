package bundle

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// decoder is what turns tokens' texts into one.
type decoder struct {
	repair func(raw string) string // bytes in a row as text
	lead   string                  // taken off the front once: the space that encoding put there
}

// Decode returns the text of ids, special tokens left out, as Hugging Face's fast
// tokenizers do with skip_special_tokens. A character cut in two becomes
// U+FFFD, so that any part of an answer is text. An id out of range is an error.
func (t *Tokenizer) Decode(ids []int32) (string, error) {
	var out, raw strings.Builder
	for _, id := range ids {
		token, ok := t.tokens[id]
		switch {
		case !ok:
			return "", fmt.Errorf("decode token %d: %s has no such id", id, t.file)
		case token.special:
		case token.raw:
			raw.WriteString(token.text)
		default:
			out.WriteString(t.decoder.repair(raw.String()))
			raw.Reset()
			out.WriteString(token.text)
		}
	}
	out.WriteString(t.decoder.repair(raw.String()))
	return strings.TrimPrefix(out.String(), t.decoder.lead), nil
}

// repairFallback is how HF's ByteFallback reads bytes: all of a run are a text, or none.
func repairFallback(raw string) string {
	if utf8.ValidString(raw) {
		return raw
	}
	return strings.Repeat("\ufffd", len(raw))
}
