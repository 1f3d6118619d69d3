package bundle

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/winnow-video/winnow/workflows/job"
)

func FuzzEncodeKeepsText(f *testing.F) {
	tokenizer := testTokenizer(f)
	f.Add("it's  two\n\nlines <s>")
	f.Add("\xff\xfe cut \xe6\x97")
	f.Fuzz(func(t *testing.T, s string) {
		got, err := tokenizer.Decode(tokenizer.EncodeTexts(user(s)))
		if err != nil {
			t.Fatal(err)
		}
		if want := strings.ToValidUTF8(s, "\ufffd"); got != want || !utf8.ValidString(got) {
			t.Errorf("%q came back as %q", s, got)
		}
	})
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
		tokenizer, err := ReadTokenizer(text)
		if err != nil {
			return
		}
		const sentence = "Is it red, or blue?"
		if got, err := tokenizer.Decode(tokenizer.EncodeTexts(user(sentence))); err != nil || got != sentence {
			t.Errorf("an accepted tokenizer turns %q into %q, %v", sentence, got, err)
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
