package bundle

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/winnow-video/winnow/workflows/job"
)

// FuzzEncodeKeepsText: what a user wrote comes back, but for what a normalizer is there to change.
func FuzzEncodeKeepsText(f *testing.F) {
	for _, s := range []string{"it's  two\n\nlines <s>", "\xff\xfe cut \xe6\x97", " ▁ e\u0301 ¡👩‍👩‍👧", "<image>  <mask></s>\x00"} {
		f.Add(s)
	}
	tokenizers := map[string]*Tokenizer{"tokenizer.json": testTokenizer(f)}
	for _, family := range families() {
		tokenizers[family.name] = family.read(f)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for name, tokenizer := range tokenizers {
			want := kept(tokenizer, s)
			if got, err := tokenizer.Decode(tokenizer.EncodeTexts(user(s))); err != nil || got != want {
				t.Errorf("%s: %q came back as %q, %v", name, want, got, err)
			}
			encodeAsTemplate(t, tokenizer, s)
		}
	})
}

// kept is what a tokenizer keeps of s.
func kept(tokenizer *Tokenizer, s string) string {
	text := tokenizer.normalize(join(user(s))).String()
	if !tokenizer.model.chars {
		return text
	}
	text = strings.ReplaceAll(text, space, " ")
	return strings.TrimPrefix(text, " ") // the one put there, or under Metaspace the text's own
}

// encodeAsTemplate wants ids that any part of decodes to text.
func encodeAsTemplate(t *testing.T, tokenizer *Tokenizer, s string) {
	t.Helper()
	ids := tokenizer.Encode(s)
	for _, part := range [][]int32{ids, ids[:len(ids)/2], ids[len(ids)/2:]} {
		if text, err := tokenizer.Decode(part); err != nil || !utf8.ValidString(text) {
			t.Errorf("%q as ids %v decodes to %q, %v", s, part, text, err)
		}
	}
}

func FuzzReadManifest(f *testing.F) {
	text, err := json.Marshal(testManifest())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`{"v":1,"grid":[1`))
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := ReadManifest(text)
		if err == nil && (m.V != Version || m.Tokens() < 1 || len(m.Files) == 0) {
			t.Errorf("accepted %s", text)
		}
	})
}

func FuzzReadTokenizer(f *testing.F) {
	f.Add(readTestdata(f, TokenizerFile))
	f.Add([]byte(`{"model":{"type":"BPE","vocab":{"a":0},"merges":["a a"]}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		if tokenizer, err := ReadTokenizer(text); err == nil {
			encodeAsTemplate(t, tokenizer, "Is it red, or blue?")
		}
	})
}

func FuzzReadSentencePiece(f *testing.F) {
	f.Add(readTestdata(f, filepath.Join("families", ModelFile)))
	f.Add([]byte("\x0a\x0e\x0a\x05<unk>\x15\x00\x00\x00\x00\x18\x02"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if tokenizer, err := readSentencePiece(text); err == nil {
			encodeAsTemplate(t, tokenizer, "Is it red, or blue?")
		}
	})
}

func FuzzParseAnswer(f *testing.F) {
	f.Add("B. dog", "cat\ndog")
	f.Add("a", "A\na")
	f.Fuzz(func(t *testing.T, text, options string) {
		list := strings.Split(options, "\n")
		got := ParseAnswer(text, list)
		if (got.OptionIndex == nil) != (got.Parse == job.ParseUnparsed) {
			t.Errorf("%q among %q: %+v", text, list, got)
		}
		if got.OptionIndex != nil && *got.OptionIndex >= len(list) {
			t.Errorf("%q among %q: option %d", text, list, *got.OptionIndex)
		}
	})
}
