package bundle

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// golden is testdata/golden.json, which golden.py made with Hugging Face's tokenizers.
type golden struct {
	Split json.RawMessage // Qwen2's pre-tokenizer
	Cases []struct {
		Text    string
		IDs     []int32 // under ByteLevel, as in tokenizer.json
		Decoded string
		Split   []int32 // under Split
	}
	Cut [][2]json.RawMessage // ids and what they decode to
}

func readGolden(t *testing.T) golden {
	t.Helper()
	var g golden
	if err := json.Unmarshal(readTestdata(t, "golden.json"), &g); err != nil {
		t.Fatal(err)
	}
	return g
}

func readTestdata(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func testTokenizer(t testing.TB) *Tokenizer {
	t.Helper()
	tokenizer, err := ReadTokenizer(readTestdata(t, TokenizerFile))
	if err != nil {
		t.Fatal(err)
	}
	return tokenizer
}

// edit returns tokenizer.json with fields replaced; a dot goes one level down.
func edit(t *testing.T, path string, value any) []byte {
	t.Helper()
	var file map[string]any
	if err := json.Unmarshal(readTestdata(t, TokenizerFile), &file); err != nil {
		t.Fatal(err)
	}
	at := file
	keys := strings.Split(path, ".")
	for _, key := range keys[:len(keys)-1] {
		at = at[key].(map[string]any)
	}
	at[keys[len(keys)-1]] = value
	text, err := json.Marshal(file)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestEncodeEqualsHuggingFace(t *testing.T) {
	t.Parallel()
	g := readGolden(t)
	if len(g.Cases) < 200 {
		t.Fatalf("golden.json holds %d strings, want at least 200", len(g.Cases))
	}
	tokenizer := testTokenizer(t)
	split, err := ReadTokenizer(edit(t, "pre_tokenizer", g.Split))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range g.Cases {
		if diff := cmp.Diff(c.IDs, tokenizer.Encode(c.Text), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("ByteLevel ids of %q (-Hugging Face +ours):\n%s", c.Text, diff)
		}
		if diff := cmp.Diff(c.Split, split.Encode(c.Text), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("Split ids of %q (-Hugging Face +ours):\n%s", c.Text, diff)
		}
		if got, err := tokenizer.Decode(c.IDs); err != nil || got != c.Decoded {
			t.Errorf("decode ids of %q: %q, %v, want %q", c.Text, got, err, c.Decoded)
		}
	}
}

func TestDecodeCutInsideACharacter(t *testing.T) {
	t.Parallel()
	tokenizer := testTokenizer(t)
	for _, c := range readGolden(t).Cut {
		var ids []int32
		var want string
		if err := json.Unmarshal(c[0], &ids); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(c[1], &want); err != nil {
			t.Fatal(err)
		}
		if got, err := tokenizer.Decode(ids); err != nil || got != want {
			t.Errorf("decode %v: %q, %v, want %q", ids, got, err, want)
		}
	}
}

func TestDecodeRefusesAnUnknownID(t *testing.T) {
	t.Parallel()
	tokenizer := testTokenizer(t)
	if _, err := tokenizer.Decode([]int32{int32(tokenizer.Size())}); err == nil || !strings.Contains(err.Error(), "no such id") {
		t.Errorf("decode an id out of range: %v, want an error that says so", err)
	}
}

func TestUserTextHoldsNoSpecialTokens(t *testing.T) {
	t.Parallel()
	tokenizer := testTokenizer(t)
	texts := []Text{{"<s>go ", true}, {"<image></s>", false}, {"</s>", true}}
	got := tokenizer.EncodeTexts(texts)
	specials := slices.DeleteFunc(slices.Clone(got), func(id int32) bool { return !tokenizer.tokens[id].special })
	want := []int32{tokenizer.plain.tokens["<s>"].ID, tokenizer.plain.tokens["</s>"].ID}
	if diff := cmp.Diff(want, specials); diff != "" {
		t.Errorf("special tokens of %v (-want +got):\n%s", texts, diff)
	}
	if text, err := tokenizer.Decode(got); err != nil || text != "go <image></s>" {
		t.Errorf("decoded: %q, %v", text, err)
	}
}

func TestMergesCrossTextBorders(t *testing.T) {
	t.Parallel()
	tokenizer := testTokenizer(t)
	whole := tokenizer.Encode("What colour is the circle?")
	parts := tokenizer.EncodeTexts([]Text{{"What col", true}, {"our is the cir", false}, {"cle?", true}})
	if diff := cmp.Diff(whole, parts); diff != "" {
		t.Errorf("ids of one text and of its parts (-whole +parts):\n%s", diff)
	}
}

func TestReadTokenizerRefusesWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	tests := []struct {
		field string
		value any
		want  string
	}{
		{"normalizer", map[string]any{"type": "Lowercase"}, "normalizer Lowercase is not supported"},
		{"normalizer", map[string]any{"type": "Replace", "pattern": map[string]any{"Regex": " +"}}, "normalizer Replace"},
		{"normalizer", sequenceOf("normalizers", "NFC", "StripAccents"), "normalizer StripAccents is not supported"},
		{"model.type", "Unigram", "model Unigram is not supported"},
		{"model.dropout", 0.1, "dropout"},
		{"model.end_of_word_suffix", "</w>", "end_of_word_suffix"},
		{"model.byte_fallback", true, "byte_fallback"},
		{"model.vocab", map[string]any{"a": 0}, "byte 0x00"},
		{"model.vocab", map[string]any{"a": 0, "b": 0}, "two tokens"},
		{"model.merges", []any{"Q Z Z"}, "merges[0]"},
		{"model.merges", []any{"QZ"}, "no pair"},
		{"model.vocab", map[string]any{"a": -1}, "negative"},
		{"pre_tokenizer", map[string]any{"type": "Whitespace"}, "pre_tokenizer Whitespace is not supported"},
		{"pre_tokenizer", sequenceOf("pretokenizers", "Digits", "ByteLevel"), "pre_tokenizer Sequence [Digits ByteLevel] is not supported"},
		{"pre_tokenizer", map[string]any{"type": "Metaspace", "replacement": "__"}, "pre_tokenizer Metaspace"},
		{"pre_tokenizer", nil, "decoder ByteLevel is not supported"},
		{"pre_tokenizer.add_prefix_space", true, "add_prefix_space"},
		{"decoder", nil, "decoder null is not supported"},
		{"decoder", map[string]any{"type": "WordPiece"}, "decoder WordPiece is not supported"},
		{"added_tokens", []any{map[string]any{"id": 3, "content": "<image>", "single_word": true}}, "single_word"},
		{"added_tokens", []any{map[string]any{"id": 30, "content": "<new>"}}, "model.vocab has"},
		{"model", 7, "cannot unmarshal"},
	}
	for _, test := range tests {
		_, err := ReadTokenizer(edit(t, test.field, test.value))
		if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), TokenizerFile) {
			t.Errorf("%s = %v: error %v, want one with %q", test.field, test.value, err, test.want)
		}
	}
}

// sequenceOf is a Sequence of components by type.
func sequenceOf(field string, types ...string) map[string]any {
	var all []any
	for _, name := range types {
		all = append(all, map[string]any{"type": name})
	}
	return map[string]any{"type": "Sequence", field: all}
}

func TestSplitterRefusesOtherLookaheads(t *testing.T) {
	t.Parallel()
	if _, err := newPattern(`\w+(?=x)|\s+`); err == nil {
		t.Error("a pattern with a lookahead RE2 does not know was accepted")
	}
}
