package bundle

import (
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// rule is what has to hold of a manifest, and what to say where it does not.
type rule struct {
	ok   bool
	want string
}

// validate names the first field that is missing or out of range.
func (m *Manifest) validate() error {
	if err := first(m.common()); err != nil {
		return err
	}
	if m.Pictures() {
		return m.validatePictures()
	}
	if err := first(m.model()); err != nil {
		return err
	}
	if err := errors.Join(m.Dims.validate(), m.PoolAfter.validate(m.Tokens())); err != nil {
		return err
	}
	return m.validateFiles()
}

func first(rules []rule) error {
	for _, r := range rules {
		if !r.ok {
			return errors.New(r.want)
		}
	}
	return nil
}

// validatePictures wants nothing of a model whose weights nobody has here.
func (m *Manifest) validatePictures() error {
	return first([]rule{
		{len(m.Files) == 0, "files: want none where language.input is frames"},
		{m.Tokens() == 1, "grid and extra_leading: want [1,1] and 0 where language.input is frames: a frame is one token"},
		{m.Newline == NewlineNone && m.PoolAfter == nil, "newline and pool_after: want none and null where language.input is frames: they are of rows"},
	})
}

// common is what every bundle says.
func (m *Manifest) common() []rule {
	return []rule{
		{m.Name != "", "name: missing"},
		{m.Image.Size > 0, "image.size: want more than 0"},
		{oneOf(m.Image.Resize, ShortestCrop, Squash, Pad), fmt.Sprintf("image.resize: unknown %q", m.Image.Resize)},
		{m.Grid[0] > 0 && m.Grid[1] > 0, "grid: want rows and columns of at least 1"},
		{m.ExtraLeading >= 0, "extra_leading: want 0 or more"},
		{oneOf(m.Layout, Joined, PerFrame), fmt.Sprintf("layout: unknown %q", m.Layout)},
		{oneOf(m.Newline, NewlineNone, NewlineFrame, NewlineRow, NewlineEnd), fmt.Sprintf("newline: unknown %q", m.Newline)},
		{m.Newline != NewlineRow || m.ExtraLeading == 0, "newline: row: a token before the grid's, as extra_leading says, is in no row"},
		{m.Frames.Default > 0 && m.Frames.Fixed >= 0, "frames: want a default of at least 1"},
		{oneOf(m.Images, ImageIsFrame, ImageNotSupported), fmt.Sprintf("images: unknown %q", m.Images)},
		{m.Language == nil || m.Language.Remote, "language.remote: want true, or no language where " + DecoderFile + " is it"},
		{m.Language == nil || m.Language.Model != "", "language.model: missing: the name that the server serves it by"},
		{m.Language == nil || oneOf(m.Language.Input, InputEmbeds, InputFrames), "language.input: want frames, or nothing for rows of embeddings"},
	}
}

// model is what a bundle says of a model that runs here, or is sent rows.
func (m *Manifest) model() []rule {
	return []rule{
		{oneOf(m.Tokenize, TokenizeWhole, TokenizePerSide), fmt.Sprintf("tokenize: unknown %q", m.Tokenize)},
		{len(m.LetterIDs) <= len(Letters), fmt.Sprintf("letter_ids: more than %d", len(Letters))},
		{m.AnswerPrefix == nil || oneOf(*m.AnswerPrefix, "", " "), "answer_prefix: want nothing or a space"},
		{len(m.EOS) > 0, "eos: missing"},
		{m.Context > 0, "context: want more than 0"},
		{m.RoPE.Theta > 0, "rope.theta: want more than 0"},
	}
}

func oneOf[T comparable](x T, known ...T) bool { return slices.Contains(known, x) }

func (d Dims) validate() error {
	v, l := d.Vision, d.Language
	for _, n := range []int{v.Tokens, v.Patch, v.Layers, v.Hidden, v.Intermediate} {
		if n <= 0 {
			return fmt.Errorf("dims.vision: %+v: want every one at least 1", v)
		}
	}
	for _, n := range []int{l.Layers, l.Hidden, l.Intermediate, l.Heads, l.KVHeads, l.HeadDim, l.Vocab} {
		if n <= 0 {
			return fmt.Errorf("dims.language: %+v: want every one at least 1", l)
		}
	}
	if n := len(d.Projector); n < 2 || d.Projector[0] != v.Hidden || d.Projector[n-1] != l.Hidden {
		return fmt.Errorf("dims.projector: %v: want widths from %d to %d", d.Projector, v.Hidden, l.Hidden)
	}
	return nil
}

// validateFiles wants exactly the known files, each with a digest.
func (m *Manifest) validateFiles() error {
	want := []string{VisionFile, ProjectorFile, EmbeddingsFile, m.tokenizerFile()}
	if !m.Remote() {
		want = append(want, DecoderFile)
	}
	for _, name := range m.fileNames() {
		graph, isData := strings.CutSuffix(name, DataSuffix)
		if !slices.Contains(want, graph) || isData && filepath.Ext(graph) != ".onnx" {
			return fmt.Errorf("files: unexpected %q", name)
		}
		if sum, err := hex.DecodeString(m.Files[name].SHA256); err != nil || len(sum) != 32 {
			return fmt.Errorf("files[%q].sha256: %q: want 64 hex digits", name, m.Files[name].SHA256)
		}
	}
	for _, name := range want {
		if _, ok := m.Files[name]; !ok {
			return fmt.Errorf("files: no %q", name)
		}
	}
	return nil
}

// tokenizerFile is which of the two kinds of tokenizer the bundle has.
func (m *Manifest) tokenizerFile() string {
	if _, ok := m.Files[ModelFile]; ok {
		return ModelFile
	}
	return TokenizerFile
}

// agree refuses a tokenizer, a manifest and an embedding table that do not belong together.
func (b *Bundle) agree() error {
	if width := b.embeddings.shape[1]; width != b.Dims.Language.Hidden {
		return fmt.Errorf("%s has rows of %d values, but dims.language.hidden is %d", EmbeddingsFile, width, b.Dims.Language.Hidden)
	}
	if err := b.tokenizer.fits(b.embeddings.shape[0]); err != nil {
		return err
	}
	if err := b.lettersAgree(); err != nil {
		return err
	}
	ends := b.EOS
	if b.BOS != nil {
		ends = append(slices.Clip(ends), *b.BOS)
	}
	if _, err := b.tokenizer.Decode(ends); err != nil {
		return fmt.Errorf("bos or eos: %w", err)
	}
	return nil
}

// fits wants a row for every token.
func (t *Tokenizer) fits(rows int) error {
	if t.Size() <= rows {
		return nil
	}
	id := int32(t.Size() - 1)
	return fmt.Errorf("%s: token %d %q has no row in %s, which has %d: export the model again, with its own tokenizer",
		t.file, id, t.tokens[id].text, EmbeddingsFile, rows)
}

// lettersAgree wants letters behind letter_ids, another model's tokenizer has others
// there; and of a letter's tokens the one that a prompt goes on with.
func (b *Bundle) lettersAgree() error {
	for i, id := range b.LetterIDs {
		text, err := b.tokenizer.Decode([]int32{id})
		if err != nil {
			return fmt.Errorf("letter_ids: %w", err)
		}
		if strings.TrimSpace(text) != Letters[i:i+1] {
			return fmt.Errorf("letter_ids[%d] is token %d, %q in %s, but stands for %q: export the model again, with its own tokenizer",
				i, id, text, b.tokenizer.file, Letters[i:i+1])
		}
	}
	if name, field := b.template.openEnd(); field != "" && len(b.LetterIDs) > 0 {
		return fmt.Errorf("%s: ends with {%s}: what an item says there could change the token of a letter behind it: end it with text of the template's own",
			name, field)
	}
	for _, last := range lastWords() {
		if err := b.lettersFollow(last); err != nil {
			return err
		}
	}
	return nil
}

// lastWords are what items may end with: behind so little text as white space
// they could change a letter's token all the same.
func lastWords() []string { return []string{"yes", "a 7", "what?"} }

// lettersFollow wants the token that is appended when a letter is written behind
// a prompt whose texts are last.
func (b *Bundle) lettersFollow(last string) error {
	q := Question{Text: last, Options: slices.Repeat([]string{last}, min(2, len(b.LetterIDs)))}
	before, between := b.tail(q, ""), b.answerPrefix(q)
	for i, id := range b.LetterIDs {
		answer := between + Letters[i:i+1]
		if !slices.Equal(b.tail(q, answer), append(slices.Clip(before), id)) {
			return fmt.Errorf("letter_ids[%d]: token %d is not what %q appends to the prompt: export the model again, or say in answer_prefix what stands before a letter",
				i, id, answer)
		}
	}
	return nil
}

// tail is the ids of what stands behind the frames of q, and of more text.
func (b *Bundle) tail(q Question, more string) []int32 {
	texts := append(fill(b.template.tail, b.template.values(q)), Text{Text: more})
	if b.Tokenize == TokenizeWhole {
		return b.tokenizer.EncodeBehind(texts)
	}
	return b.tokenizer.EncodeTexts(texts)
}

// answerPrefix is what stands between the prompt of q and an answer.
func (b *Bundle) answerPrefix(q Question) string {
	if b.AnswerPrefix != nil {
		return *b.AnswerPrefix
	}
	var prompt strings.Builder
	for _, t := range fill(b.template.tail, b.template.values(q)) {
		prompt.WriteString(t.Text)
	}
	if last, _ := utf8.DecodeLastRuneInString(prompt.String()); unicode.IsSpace(last) {
		return ""
	}
	return " "
}
