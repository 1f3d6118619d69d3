package bundle

import (
	"encoding/json"
	"fmt"
	"maps"
	"strconv"
	"strings"
)

// tokenizerFile is the part of tokenizer.json that changes ids. Truncation,
// padding and post-processing do not apply: prompts are assembled here.
type tokenizerFile struct {
	Added        []addedToken `json:"added_tokens"`
	Normalizer   *component   `json:"normalizer"`
	PreTokenizer *component   `json:"pre_tokenizer"`
	Decoder      *component   `json:"decoder"`
	Model        bpeModel     `json:"model"`
}

type bpeModel struct {
	Type         string           `json:"type"`
	Dropout      *float64         `json:"dropout"`
	Prefix       string           `json:"continuing_subword_prefix"`
	Suffix       string           `json:"end_of_word_suffix"`
	ByteFallback bool             `json:"byte_fallback"`
	IgnoreMerges bool             `json:"ignore_merges"`
	Vocab        map[string]int32 `json:"vocab"`
	Merges       []halves         `json:"merges"`
}

// ReadTokenizer reads a tokenizer.json. What it does not know it refuses by
// name, rather than produce other ids than the model was trained with.
func ReadTokenizer(text []byte) (*Tokenizer, error) {
	var file tokenizerFile
	if err := json.Unmarshal(text, &file); err != nil {
		return nil, fmt.Errorf("%s: %w", TokenizerFile, err)
	}
	t, err := file.tokenizer()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", TokenizerFile, err)
	}
	return t, nil
}

func (f *tokenizerFile) tokenizer() (*Tokenizer, error) {
	bytes := f.PreTokenizer.byteLevel()
	t := &Tokenizer{file: TokenizerFile, tokens: map[int32]token{}}
	var err error
	if t.normalize, err = f.Normalizer.normalizer(); err != nil {
		return nil, err
	}
	if t.split, err = f.PreTokenizer.splitter(); err != nil {
		return nil, err
	}
	var space string
	if t.decoder, space, err = f.Decoder.decoder(bytes); err != nil {
		return nil, err
	}
	if err := f.Model.supported(bytes); err != nil {
		return nil, err
	}
	read := writtenAsText(space)
	if bytes {
		read = writtenAsBytes()
	}
	if err := t.readModel(&f.Model, read, bytes); err != nil {
		return nil, err
	}
	return t, t.readAdded(f.Added, read)
}

// supported refuses what would change how pairs merge.
func (m *bpeModel) supported(bytes bool) error {
	switch {
	case m.Type != "BPE":
		return fmt.Errorf("model %s is not supported: want BPE", m.Type)
	case m.Dropout != nil && *m.Dropout != 0:
		return fmt.Errorf("model: dropout is not supported")
	case m.Prefix != "" || m.Suffix != "":
		return fmt.Errorf("model: continuing_subword_prefix and end_of_word_suffix are not supported")
	case bytes && m.ByteFallback:
		return fmt.Errorf("model: byte_fallback beside pre_tokenizer ByteLevel is not supported")
	case !bytes && !m.ByteFallback:
		return fmt.Errorf("model: BPE without byte_fallback is supported only under pre_tokenizer ByteLevel")
	}
	return nil
}

// readModel fills the tokens, their ids and merges.
func (t *Tokenizer) readModel(m *bpeModel, read spelling, bytes bool) error {
	t.model = bpe{ids: make(map[string]int32, len(m.Vocab)), chars: !bytes, whole: m.IgnoreMerges}
	for written, id := range m.Vocab {
		if _, taken := t.tokens[id]; taken || id < 0 {
			return fmt.Errorf("model.vocab: id %d stands for two tokens, or is negative", id)
		}
		tok, raw := read(written)
		t.tokens[id] = tok
		if raw != "" {
			t.model.ids[raw] = id
		}
	}
	if err := t.model.readBytes(bytes); err != nil {
		return fmt.Errorf("model.vocab: %w", err)
	}
	return t.model.readMerges(m.Merges, read)
}

// readBytes looks up the tokens of bytes: all text is made of them, in the end.
func (m *bpe) readBytes(level bool) error {
	for b := range 256 {
		name := fallbackName(byte(b))
		if level {
			name = string([]byte{byte(b)})
		}
		id, ok := m.ids[name]
		if !ok {
			return fmt.Errorf("no token for byte 0x%02x", b)
		}
		m.bytes[b] = id
	}
	return nil
}

func (m *bpe) readMerges(merges []halves, read spelling) error {
	m.merges = make(map[pair]merge, len(merges))
	for rank, written := range merges {
		_, left := read(written[0])
		_, right := read(written[1])
		a, okA := m.ids[left]
		b, okB := m.ids[right]
		whole, okWhole := m.ids[left+right]
		if !okA || !okB || !okWhole {
			return fmt.Errorf("model.merges[%d]: %q or its halves are not in model.vocab", rank, written)
		}
		m.merges[pair{a, b}] = merge{rank: int32(rank), id: whole}
	}
	return nil
}

// halves is an entry of merges in either spelling: "a b" or ["a","b"].
type halves [2]string

func (h *halves) UnmarshalJSON(text []byte) error {
	if text[0] != '"' {
		return json.Unmarshal(text, (*[2]string)(h))
	}
	var joined string
	if err := json.Unmarshal(text, &joined); err != nil {
		return err
	}
	left, right, ok := strings.Cut(joined, " ")
	if !ok {
		return fmt.Errorf("model.merges: %q is no pair", joined)
	}
	*h = halves{left, right}
	return nil
}

// readAdded registers the added tokens, and how to find them in literal text.
func (t *Tokenizer) readAdded(tokens []addedToken, read spelling) error {
	var plain, marked []addedToken
	for _, a := range tokens {
		tok, _ := read(a.Content)
		if old, taken := t.tokens[a.ID]; taken && old.text != tok.text {
			return fmt.Errorf("added token %d %q: model.vocab has %q there", a.ID, a.Content, old.text)
		}
		tok.special = a.Special
		t.tokens[a.ID] = tok
		if a.Normalized {
			a.Content = t.normalize(passage{{Text: a.Content, Literal: true}}).String()
			marked = append(marked, a)
		} else {
			plain = append(plain, a)
		}
	}
	t.forbidSpecials()
	var err error
	if t.plain, err = newAdded(plain); err != nil {
		return err
	}
	t.marked, err = newAdded(marked)
	return err
}

// forbidSpecials leaves special tokens to the places where they are written out in
// literal text: merges, which converted vocabularies have for them too, could make
// one of a user's letters.
func (t *Tokenizer) forbidSpecials() {
	maps.DeleteFunc(t.model.ids, func(_ string, id int32) bool { return t.tokens[id].special })
	maps.DeleteFunc(t.model.merges, func(_ pair, m merge) bool { return t.tokens[m.id].special })
}

// spelling reads a token as the vocabulary writes it: what it is in an answer, and in text ("" is nothing).
type spelling func(written string) (token, string)

// writtenAsText is the vocabulary of SentencePiece, with space for one in an answer
// and bytes as <0x0A>.
func writtenAsText(space string) spelling {
	return func(written string) (token, string) {
		if b, ok := fallbackByte(written); ok {
			return token{text: string([]byte{b}), raw: true}, written
		}
		return token{text: strings.ReplaceAll(written, space, " ")}, written
	}
}

func fallbackName(b byte) string { return fmt.Sprintf("<0x%02X>", b) }

func fallbackByte(written string) (byte, bool) {
	if len(written) != 6 || written[:3] != "<0x" || written[5] != '>' {
		return 0, false
	}
	b, err := strconv.ParseUint(written[3:5], 16, 8)
	return byte(b), err == nil
}

// writtenAsBytes is a byte-level vocabulary: a character stands for a byte. Other
// characters stand in added tokens only, which the vocabulary may list too.
func writtenAsBytes() spelling {
	alphabet := byteAlphabet()
	return func(written string) (token, string) {
		raw := make([]byte, 0, len(written))
		for _, r := range written {
			b, ok := alphabet[r]
			if !ok {
				return token{text: written, raw: true}, ""
			}
			raw = append(raw, b)
		}
		return token{text: string(raw), raw: true}, string(raw)
	}
}

// byteAlphabet maps the characters that byte-level vocabularies are written in to
// bytes: printable Latin-1 stands for itself, the rest for U+0100 and up (GPT-2).
func byteAlphabet() map[rune]byte {
	alphabet := make(map[rune]byte, 256)
	next := rune(0x100)
	for b := range rune(256) {
		printable := b >= '!' && b <= '~' || b >= 0xa1 && b <= 0xac || b >= 0xae
		if printable {
			alphabet[b] = byte(b)
			continue
		}
		alphabet[next] = byte(b)
		next++
	}
	return alphabet
}
