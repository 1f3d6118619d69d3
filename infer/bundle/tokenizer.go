package bundle

// Tokenizer turns text into token ids and back: the BPE of a tokenizer.json, byte-level
// or with byte fallback, or of a SentencePiece tokenizer.model. It is safe for concurrent use.
//
// Ids are those that Hugging Face's tokenizers makes of the same file. No beginning
// or end token is added: the prompt says where those stand.
type Tokenizer struct {
	file      string // what it was read from, for errors
	plain     added  // tokens found in text as written
	normalize normalizer
	marked    added // tokens found in normalised text
	split     splitter
	model     bpe
	tokens    map[int32]token
	decoder   decoder
}

// token is what an id stands for.
type token struct {
	text    string
	raw     bool // text is bytes: part of a character, maybe
	special bool // left out of answers
}

// Text is a stretch of a prompt. In literal text (a template's) added tokens such
// as <|im_start|> count; in a user's they are letters like any other, so that a
// question cannot write a turn of the conversation.
type Text struct {
	Text    string
	Literal bool
}

// Encode returns the ids of s, added tokens recognised. Bytes that are no UTF-8
// become U+FFFD, one for each maximal part, as Python's errors="replace" has it.
func (t *Tokenizer) Encode(s string) []int32 {
	return t.EncodeTexts([]Text{{Text: s, Literal: true}})
}

// EncodeTexts returns the ids of the texts as one string: pieces and merges cross their borders.
func (t *Tokenizer) EncodeTexts(texts []Text) []int32 { return t.encode(texts, true) }

// EncodeBehind returns the ids that the texts have as one string behind an added
// token, such as an image's placeholder: no space is put before what is not the beginning.
func (t *Tokenizer) EncodeBehind(texts []Text) []int32 { return t.encode(texts, false) }

// encode is for EncodeTexts and EncodeBehind; first says that nothing stands before the texts.
func (t *Tokenizer) encode(texts []Text, first bool) []int32 {
	var ids []int32
	for _, outer := range t.plain.cut(join(texts)) {
		if outer.token != none {
			ids, first = append(ids, outer.token), false
			continue
		}
		for _, run := range t.marked.cut(t.normalize(outer.text)) {
			if run.token != none {
				ids = append(ids, run.token)
			} else {
				ids = t.appendRun(ids, run.text.String(), first)
			}
			first = false
		}
	}
	return ids
}

// appendRun appends the ids of text without added tokens.
func (t *Tokenizer) appendRun(ids []int32, text string, first bool) []int32 {
	for _, piece := range t.split.split(text, first) {
		ids = append(ids, t.model.encode(piece)...)
	}
	return ids
}

// Size is one more than the highest id.
func (t *Tokenizer) Size() int {
	size := 0
	for id := range t.tokens {
		size = max(size, int(id)+1)
	}
	return size
}

// size is how many bytes of text ids stand for.
func (t *Tokenizer) size(ids []int32) int {
	n := 0
	for _, id := range ids {
		n += len(t.tokens[id].text)
	}
	return n
}
