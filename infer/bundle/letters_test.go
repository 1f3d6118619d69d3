package bundle

import (
	"path/filepath"
	"strings"
	"testing"
)

// The letters of every family are what Hugging Face's tokenizers append: ids of A
// to D behind the tail of a prompt, at once and behind a space.
func TestLettersFollowEveryFamily(t *testing.T) {
	t.Parallel()
	sentencePiece := [2][]int32{{2529, 2528, 2525, 2536}, {324, 313, 280, 350}}
	for _, c := range []struct {
		family int
		tail   string
		spaced bool       // the prompt's end is no white space
		ids    [2][]int32 // at once, and behind a space
	}{
		{0, " ASSISTANT:", true, sentencePiece},
		{1, " [/INST]", true, sentencePiece},
		{2, "<|im_end|>\n<|im_start|>assistant\n", false, [2][]int32{{32, 33, 34, 35}, {615, 1018, 1019, 616}}},
		{3, "<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n", false, [2][]int32{{32, 33, 34, 35}, {615, 1019, 1020, 616}}},
		{4, " ASSISTANT:", true, sentencePiece},
	} {
		f := families()[c.family]
		b := &Bundle{tokenizer: f.read(t)}
		b.Tokenize = TokenizeWhole
		b.Template = Template{Prompt: "{frames}\n{question}{options}" + c.tail, Options: "{list}\nAnswer with the letter.", Option: "\n{letter}. {text}"}
		var err error
		if b.template, err = parseTemplate(b.Template, "", ""); err != nil {
			t.Fatal(err)
		}
		for form, ids := range c.ids {
			b.LetterIDs = ids
			if err := b.lettersAgree(); (err == nil) != ((form == 1) == c.spaced) {
				t.Errorf("%s: ids %v behind %q: %v", f.name, ids, c.tail, err)
			}
			b.AnswerPrefix = new([2]string{"", " "}[form])
			if err := b.lettersAgree(); err != nil {
				t.Errorf("%s: ids %v behind %q and %q: %v", f.name, ids, c.tail, *b.AnswerPrefix, err)
			}
			b.AnswerPrefix = nil
		}
	}
}

// Of a letter's tokens, with a space and without, one follows the prompt: the
// bundles that are kept here have that one, and the other is refused.
func TestLettersOfTheBundles(t *testing.T) {
	t.Parallel()
	dirs, err := filepath.Glob("../onnx/testdata/parity/*/bundle*")
	if err != nil || len(dirs) < 6 {
		t.Fatalf("bundles of the families: %v, %v", dirs, err)
	}
	for _, dir := range append(dirs, "../onnx/testdata/tiny", "../../deploy/bundle/demo") {
		b, err := Open(t.Context(), dir)
		if err != nil {
			t.Error(err)
			continue
		}
		for i, id := range b.LetterIDs {
			bare, spaced := b.tokenizer.Encode(Letters[i:i+1]), b.tokenizer.Encode(" "+Letters[i:i+1])
			if len(bare) != 1 || len(spaced) != 1 || id != bare[0] && id != spaced[0] {
				t.Fatalf("%s: letter %d is %d, and %v without a space, %v with one", dir, i, id, bare, spaced)
			}
			b.LetterIDs[i] = bare[0] + spaced[0] - id // the other one
			if err := b.lettersAgree(); err == nil || !strings.Contains(err.Error(), "is not what") {
				t.Errorf("%s: letter %d as token %d: %v", dir, i, b.LetterIDs[i], err)
			}
			b.LetterIDs[i] = id
		}
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	}
}
