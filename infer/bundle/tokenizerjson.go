package bundle

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// tokenizerFile is the part of tokenizer.json that changes ids. Truncation,
// padding and post-processing do not apply: prompts are assembled here.
type tokenizerFile struct {
	Added        []addedToken    `json:"added_tokens"`
	Normalizer   json.RawMessage `json:"normalizer"`
	PreTokenizer preTokenizer    `json:"pre_tokenizer"`
	Model        bpeModel        `json:"model"`
}

type addedToken struct {
	ID         int32  `json:"id"`
	Content    string `json:"content"`
	SingleWord bool   `json:"single_word"`
	LStrip     bool   `json:"lstrip"`
	RStrip     bool   `json:"rstrip"`
	Special    bool   `json:"special"`
}

type preTokenizer struct {
	Type           string `json:"type"`
	AddPrefixSpace bool   `json:"add_prefix_space"`
	UseRegex       *bool  `json:"use_regex"`
	Behavior       string `json:"behavior"`
	Invert         bool   `json:"invert"`
	Pattern        struct {
		Regex string `json:"Regex"`
	} `json:"pattern"`
	Sequence []preTokenizer `json:"pretokenizers"`
}

type bpeModel struct {
	Type         string            `json:"type"`
	Dropout      *float64          `json:"dropout"`
	Prefix       string            `json:"continuing_subword_prefix"`
	Suffix       string            `json:"end_of_word_suffix"`
	ByteFallback bool              `json:"byte_fallback"`
	IgnoreMerges bool              `json:"ignore_merges"`
	Vocab        map[string]int32  `json:"vocab"`
	Merges       []json.RawMessage `json:"merges"`
}

// ReadTokenizer reads a tokenizer.json. What it does not know it refuses by
// name, rather than produce other ids than the model was trained with.
func ReadTokenizer(text []byte) (*Tokenizer, error) {
	var file tokenizerFile
	if err := json.Unmarshal(text, &file); err != nil {
		return nil, fmt.Errorf("tokenizer.json: %w", err)
	}
	t, err := file.tokenizer()
	if err != nil {
		return nil, fmt.Errorf("tokenizer.json: %w", err)
	}
	return t, nil
}

func (f *tokenizerFile) tokenizer() (*Tokenizer, error) {
	if len(f.Normalizer) > 0 && string(f.Normalizer) != "null" {
		return nil, fmt.Errorf("normalizer %s: only null is supported", f.Normalizer)
	}
	if err := f.Model.supported(); err != nil {
		return nil, err
	}
	pattern, err := f.PreTokenizer.regex()
	if err != nil {
		return nil, err
	}
	t := &Tokenizer{
		merges: map[pair]merge{}, text: map[int32]string{},
		added: map[string]int32{}, special: map[int32]bool{},
	}
	if t.splitter, err = newSplitter(pattern); err != nil {
		return nil, err
	}
	ids, err := t.readVocab(f.Model.Vocab)
	if err != nil {
		return nil, err
	}
	if err := t.readMerges(f.Model.Merges, ids); err != nil {
		return nil, err
	}
	return t, t.readAdded(f.Added)
}

// supported refuses what would change how pairs merge.
func (m *bpeModel) supported() error {
	switch {
	case m.Type != "BPE":
		return fmt.Errorf("model type %q: only BPE is supported", m.Type)
	case m.Dropout != nil && *m.Dropout != 0, m.Prefix != "", m.Suffix != "", m.ByteFallback, m.IgnoreMerges:
		return fmt.Errorf("model: dropout, continuing_subword_prefix, end_of_word_suffix, byte_fallback and ignore_merges are not supported")
	}
	return nil
}

// regex is the one pattern that a ByteLevel, or a Split before a ByteLevel, cuts by.
func (p *preTokenizer) regex() (string, error) {
	switch {
	case p.Type == "ByteLevel" && !p.AddPrefixSpace && (p.UseRegex == nil || *p.UseRegex):
		return gpt2Pattern, nil
	case p.Type == "Sequence" && len(p.Sequence) == 2:
		split, level := p.Sequence[0], p.Sequence[1]
		plain := level.Type == "ByteLevel" && !level.AddPrefixSpace && level.UseRegex != nil && !*level.UseRegex
		if plain && split.Type == "Split" && split.Behavior == "Isolated" && !split.Invert && split.Pattern.Regex != "" {
			return split.Pattern.Regex, nil
		}
	}
	return "", fmt.Errorf("pre_tokenizer %q: want ByteLevel without prefix space, or an isolating Split by a regex and a plain ByteLevel", p.Type)
}

// readVocab fills the texts of ids, and returns the ids of texts.
func (t *Tokenizer) readVocab(vocab map[string]int32) (map[string]int32, error) {
	alphabet := byteAlphabet()
	ids := make(map[string]int32, len(vocab))
	for written, id := range vocab {
		raw, err := rawBytes(written, alphabet)
		if err != nil {
			raw = written // an added token that the vocabulary lists too
		}
		if _, taken := t.text[id]; taken {
			return nil, fmt.Errorf("model.vocab: id %d stands for two tokens", id)
		}
		t.text[id] = raw
		if err == nil {
			ids[raw] = id
		}
	}
	for b := range 256 {
		id, ok := ids[string([]byte{byte(b)})]
		if !ok {
			return nil, fmt.Errorf("model.vocab: no token for byte 0x%02x", b)
		}
		t.bytes[b] = id
	}
	return ids, nil
}

// readMerges reads merges in either spelling: "a b" or ["a","b"].
func (t *Tokenizer) readMerges(merges []json.RawMessage, ids map[string]int32) error {
	alphabet := byteAlphabet()
	for rank, line := range merges {
		halves, err := readMerge(line)
		if err != nil {
			return fmt.Errorf("model.merges[%d]: %w", rank, err)
		}
		left, errLeft := rawBytes(halves[0], alphabet)
		right, errRight := rawBytes(halves[1], alphabet)
		a, okA := ids[left]
		b, okB := ids[right]
		whole, okWhole := ids[left+right]
		if errLeft != nil || errRight != nil || !okA || !okB || !okWhole {
			return fmt.Errorf("model.merges[%d]: %q or its halves are not in model.vocab", rank, halves)
		}
		t.merges[pair{a, b}] = merge{rank: rank, id: whole}
	}
	return nil
}

func readMerge(line json.RawMessage) (halves [2]string, err error) {
	var joined string
	if json.Unmarshal(line, &joined) != nil {
		return halves, json.Unmarshal(line, &halves)
	}
	left, right, ok := strings.Cut(joined, " ")
	if !ok {
		return halves, fmt.Errorf("%q is no pair", joined)
	}
	return [2]string{left, right}, nil
}

// readAdded registers the added tokens, and how to find them in literal text.
func (t *Tokenizer) readAdded(added []addedToken) error {
	var contents []string
	for _, a := range added {
		if a.SingleWord || a.LStrip || a.RStrip || a.Content == "" {
			return fmt.Errorf("added token %d %q: single_word, lstrip and rstrip are not supported, nor is an empty one", a.ID, a.Content)
		}
		if other, taken := t.text[a.ID]; taken && other != a.Content {
			return fmt.Errorf("added token %d %q: model.vocab has %q there", a.ID, a.Content, other)
		}
		t.text[a.ID], t.added[a.Content], t.special[a.ID] = a.Content, a.ID, a.Special
		contents = append(contents, regexp.QuoteMeta(a.Content))
	}
	if len(contents) == 0 {
		return nil
	}
	slices.SortFunc(contents, func(a, b string) int { return len(b) - len(a) })
	marks, err := regexp.Compile(strings.Join(contents, "|"))
	t.marks = marks
	return err
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

func rawBytes(written string, alphabet map[rune]byte) (string, error) {
	raw := make([]byte, 0, len(written))
	for _, r := range written {
		b, ok := alphabet[r]
		if !ok {
			return "", fmt.Errorf("%q is not byte-level", written)
		}
		raw = append(raw, b)
	}
	return string(raw), nil
}
