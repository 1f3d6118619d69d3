package bundle

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
)

// ModelFile is what a bundle may hold in place of TokenizerFile. It has no room for
// added tokens such as <image>: a model that writes some in its template needs the other.
const ModelFile = "tokenizer.model"

// sentencePiece is the part of a SentencePiece ModelProto that changes ids.
//
//	1   pieces           1 text, 2 score f32, 3 type
//	2   trainer_spec     3 model_type, 24 treat_whitespace_as_suffix, 35 byte_fallback
//	3   normalizer_spec  2 precompiled_charsmap, 3 add_dummy_prefix, 4 remove_extra_whitespaces, 5 escape_whitespaces
//	5   denormalizer_spec
type sentencePiece struct {
	pieces       []scoredPiece
	modelType    uint64
	suffix       bool
	byteFallback bool
	charsmap     int // bytes
	dummyPrefix  bool
	squeezes     bool
	escapes      bool
	denormalizes bool
}

type scoredPiece struct {
	text  string
	score float32
	kind  uint64
}

// The kinds of pieces that are supported, and the one type of model.
const (
	pieceNormal  = 1
	pieceUnknown = 2
	pieceControl = 3
	pieceByte    = 6
	modelBPE     = 2
)

// space is U+2581, which SentencePiece writes spaces as.
const space = "▁"

// readSentencePiece reads a tokenizer.model. Ids are those of transformers' LlamaTokenizer
// with legacy=True, which are sentencepiece's own: each stretch of text between control tokens
// begins with a space. legacy=False gives one to the first alone; without control tokens inside a text,
// and so with each side of a placeholder on its own, both are equal. It can be said in a tokenizer.json only.
func readSentencePiece(text []byte) (*Tokenizer, error) {
	m := sentencePiece{modelType: 1, dummyPrefix: true, squeezes: true, escapes: true} // the format's defaults
	err := m.read(text)
	if err == nil {
		err = m.supported()
	}
	var t *Tokenizer
	if err == nil {
		t, err = m.tokenizer()
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", ModelFile, err)
	}
	return t, nil
}

// supported refuses what would change ids.
func (m *sentencePiece) supported() error {
	switch {
	case m.modelType != modelBPE:
		return fmt.Errorf("trainer_spec.model_type %d is not supported: want %d, BPE", m.modelType, modelBPE)
	case m.suffix:
		return errors.New("trainer_spec.treat_whitespace_as_suffix is not supported")
	case !m.byteFallback:
		return errors.New("trainer_spec: a model without byte_fallback is not supported")
	case !m.escapes:
		return errors.New("normalizer_spec: a model without escape_whitespaces is not supported")
	case m.charsmap > 0:
		return errors.New("normalizer_spec.precompiled_charsmap is not supported: want the identity normalizer")
	case m.denormalizes:
		return errors.New("denormalizer_spec is not supported")
	}
	return nil
}

func (m *sentencePiece) tokenizer() (*Tokenizer, error) {
	t := &Tokenizer{
		file: ModelFile, normalize: m.normalizer(), split: whole{}, tokens: map[int32]token{},
		decoder: decoder{repair: repairFallback},
		model:   bpe{ids: map[string]int32{}, chars: true},
	}
	if m.dummyPrefix {
		t.decoder.lead = " "
	}
	if err := t.readPieces(m.pieces); err != nil {
		return nil, err
	}
	t.model.merges = m.merges(t.model.ids)
	return t, nil
}

func (t *Tokenizer) readPieces(pieces []scoredPiece) error {
	var control []addedToken
	fallback := bpe{ids: map[string]int32{}}
	for i, p := range pieces {
		id := int32(i)
		tok := token{text: strings.ReplaceAll(p.text, space, " ")}
		switch p.kind {
		case pieceNormal:
			t.model.ids[p.text] = id
		case pieceByte:
			b, _ := fallbackByte(p.text)
			tok = token{text: string([]byte{b}), raw: true}
			fallback.ids[p.text] = id
		case pieceUnknown, pieceControl:
			tok.special = true
			control = append(control, addedToken{ID: id, Content: p.text})
		default:
			return fmt.Errorf("piece %d %q: type %d is not supported: save the model as %s", i, p.text, p.kind, TokenizerFile)
		}
		t.tokens[id] = tok
	}
	err := fallback.readBytes(false)
	if err != nil {
		return err
	}
	t.model.bytes = fallback.bytes
	t.plain, err = newAdded(control)
	return err
}

// merges are all ways to make a piece of two. Those of equal score are of equal
// rank: SentencePiece takes the leftmost.
func (m *sentencePiece) merges(ids map[string]int32) map[pair]merge {
	ranks := m.ranks()
	merges := map[pair]merge{}
	for text, id := range ids {
		for at := range text {
			a, okA := ids[text[:at]]
			b, okB := ids[text[at:]]
			if okA && okB {
				merges[pair{a, b}] = merge{rank: ranks[m.pieces[id].score], id: id}
			}
		}
	}
	return merges
}

// ranks numbers the scores, the best first.
func (m *sentencePiece) ranks() map[float32]int32 {
	var scores []float32
	for _, p := range m.pieces {
		scores = append(scores, p.score)
	}
	slices.SortFunc(scores, func(a, b float32) int { return cmp.Compare(b, a) })
	ranks := map[float32]int32{}
	for i, score := range slices.Compact(scores) {
		ranks[score] = int32(i)
	}
	return ranks
}

// normalizer is what normalizer_spec says.
func (m *sentencePiece) normalizer() normalizer {
	var all []normalizer
	if m.squeezes {
		all = append(all, squeeze)
	}
	all = append(all, replace(" ", space))
	if m.dummyPrefix {
		all = append(all, prepend(space))
	}
	return sequence(all)
}

func (m *sentencePiece) read(text []byte) error {
	return eachField(text, func(num protowire.Number, f field) error {
		switch num {
		case 1:
			return m.readPiece(f.bytes)
		case 2:
			return eachField(f.bytes, m.readTrainer)
		case 3:
			return eachField(f.bytes, m.readNormalizer)
		case 5:
			m.denormalizes = len(f.bytes) > 0
		}
		return nil
	})
}

func (m *sentencePiece) readPiece(text []byte) error {
	p := scoredPiece{kind: pieceNormal}
	err := eachField(text, func(num protowire.Number, f field) error {
		switch num {
		case 1:
			p.text = string(f.bytes)
		case 2:
			p.score = math.Float32frombits(uint32(f.n))
		case 3:
			p.kind = f.n
		}
		return nil
	})
	m.pieces = append(m.pieces, p)
	if err == nil && (p.text == "" || !utf8.ValidString(p.text) || p.score != p.score) {
		err = fmt.Errorf("piece %d: %q of score %v", len(m.pieces)-1, p.text, p.score)
	}
	return err
}

func (m *sentencePiece) readTrainer(num protowire.Number, f field) error {
	switch num {
	case 3:
		m.modelType = f.n
	case 24:
		m.suffix = f.n != 0
	case 35:
		m.byteFallback = f.n != 0
	}
	return nil
}

func (m *sentencePiece) readNormalizer(num protowire.Number, f field) error {
	switch num {
	case 2:
		m.charsmap = len(f.bytes)
	case 3:
		m.dummyPrefix = f.n != 0
	case 4:
		m.squeezes = f.n != 0
	case 5:
		m.escapes = f.n != 0
	}
	return nil
}

// field is a protobuf field's content: a number or bytes, by its wire type.
type field struct {
	n     uint64
	bytes []byte
}

func eachField(text []byte, visit func(protowire.Number, field) error) error {
	for len(text) > 0 {
		num, kind, n := protowire.ConsumeTag(text)
		if n < 0 {
			return protowire.ParseError(n)
		}
		text = text[n:]
		f, n := consumeField(num, kind, text)
		if n < 0 {
			return protowire.ParseError(n)
		}
		text = text[n:]
		if err := visit(num, f); err != nil {
			return err
		}
	}
	return nil
}

func consumeField(num protowire.Number, kind protowire.Type, text []byte) (f field, n int) {
	switch kind {
	case protowire.VarintType:
		f.n, n = protowire.ConsumeVarint(text)
	case protowire.Fixed32Type:
		var bits uint32
		bits, n = protowire.ConsumeFixed32(text)
		f.n = uint64(bits)
	case protowire.BytesType:
		f.bytes, n = protowire.ConsumeBytes(text)
	default:
		n = protowire.ConsumeFieldValue(num, kind, text)
	}
	return f, n
}
