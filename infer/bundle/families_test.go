package bundle

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/hex"
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// family is a tokenizer of testdata/families, made by families.py with the classes of
// `transformers`; extra is put behind the file's content.
type family struct{ name, file, extra string }

func families() []family {
	return []family{
		{name: "vicuna", file: "vicuna.json"}, {name: "llama2", file: "llama2.json"}, {name: "qwen2", file: "qwen2.json"}, {name: "llama3", file: "llama3.json"},
		{name: "model", file: ModelFile}, {name: "squeezed", file: ModelFile, extra: "\x1a\x02\x20\x01"}, // remove_extra_whitespaces
	}
}

func (f family) read(t testing.TB) *Tokenizer {
	t.Helper()
	text := append(readTestdata(t, filepath.Join("families", f.file)), f.extra...)
	read := ReadTokenizer
	if f.file == ModelFile {
		read = readSentencePiece
	}
	tokenizer, err := read(text)
	if err != nil {
		t.Fatal(err)
	}
	return tokenizer
}

// expected is what Hugging Face makes of a string.
type expected struct {
	IDs  []int32
	Text *string // of IDs; null is the string itself
	Cut  *string // of the first half of IDs, where that ends inside a character
}

// readLines parses the lines of a gzipped file, of at least 2,000.
func readLines[T any](t testing.TB, name string) []T {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(readTestdata(t, filepath.Join("families", name))))
	if err != nil {
		t.Fatal(err)
	}
	var all []T
	scanner := bufio.NewScanner(z)
	for scanner.Buffer(nil, 1<<20); scanner.Scan(); {
		var line T
		if err := json.Unmarshal(scanner.Bytes(), &line); err != nil {
			t.Fatalf("%s:%d: %v", name, len(all)+1, err)
		}
		all = append(all, line)
	}
	if err := scanner.Err(); err != nil || len(all) < 2000 {
		t.Fatalf("%s holds %d lines, want at least 2000: %v", name, len(all), err)
	}
	return all
}

// familyStrings are those that the families' ids are of, some no UTF-8.
func familyStrings(t testing.TB) []string {
	t.Helper()
	var all []string
	for _, line := range readLines[struct{ Text, Raw string }](t, "strings.jsonl.gz") {
		raw, err := hex.DecodeString(line.Raw)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, line.Text+string(raw))
	}
	return all
}

func TestFamiliesEqualHuggingFace(t *testing.T) {
	t.Parallel()
	all := familyStrings(t)
	for _, family := range families() {
		t.Run(family.name, func(t *testing.T) {
			t.Parallel()
			tokenizer := family.read(t)
			want := readLines[expected](t, family.name+".golden.jsonl.gz")
			if len(want) != len(all) {
				t.Fatalf("%d strings, but ids of %d", len(all), len(want))
			}
			for i, s := range all {
				want[i].check(t, tokenizer, s)
			}
		})
	}
}

func (e expected) check(t *testing.T, tokenizer *Tokenizer, s string) {
	t.Helper()
	if got := tokenizer.Encode(s); !slices.Equal(got, e.IDs) {
		t.Errorf("ids of %+q:\n%v, Hugging Face has\n%v", s, got, e.IDs)
	}
	text := repair(s)
	if e.Text != nil {
		text = *e.Text
	}
	if got, err := tokenizer.Decode(e.IDs); err != nil || got != text {
		t.Errorf("ids of %+q decode to %+q, %v, Hugging Face has %+q", s, got, err, text)
	}
	if e.Cut == nil {
		return
	}
	if got, err := tokenizer.Decode(e.IDs[:len(e.IDs)/2]); err != nil || got != *e.Cut {
		t.Errorf("half of the ids of %+q decode to %+q, %v, Hugging Face has %+q", s, got, err, *e.Cut)
	}
}

// What stands around a placeholder has the ids that Hugging Face has around it.
func TestPlaceholdersPartTheText(t *testing.T) {
	t.Parallel()
	const placeholder = "<image>"
	all := familyStrings(t)
	for _, family := range families() {
		tokenizer := family.read(t)
		mark := tokenizer.Encode(placeholder)
		if len(mark) != 1 {
			continue // no token of this family
		}
		parted := 0
		for i, want := range readLines[expected](t, family.name+".golden.jsonl.gz") {
			sides := strings.Split(all[i], placeholder)
			got := tokenizer.EncodeTexts([]Text{{sides[0], true}})
			for _, side := range sides[1:] {
				got = append(append(got, mark...), tokenizer.EncodeBehind([]Text{{side, true}})...)
				parted++
			}
			if !slices.Equal(got, want.IDs) {
				t.Errorf("%s: the sides of %+q:\n%v, Hugging Face has\n%v", family.name, all[i], got, want.IDs)
			}
		}
		if parted < 100 {
			t.Errorf("%s: %d placeholders, want at least 100", family.name, parted)
		}
	}
}

// A user's text has the ids that it has within a template's, unless it writes an added token.
func TestUserTextEncodesAsTheTemplates(t *testing.T) {
	t.Parallel()
	tokenizer := families()[0].read(t)
	const before, text, after = "USER: ", "What colour is it?  ", "\nASSISTANT:"
	got := tokenizer.EncodeTexts([]Text{{before, true}, {text, false}, {after, true}})
	if want := tokenizer.Encode(before + text + after); !slices.Equal(got, want) {
		t.Errorf("ids %v, want %v", got, want)
	}
}

func TestUserTextBecomesNoSpecialToken(t *testing.T) {
	t.Parallel()
	for _, family := range families() {
		tokenizer := family.read(t)
		for _, s := range familyStrings(t) {
			for _, id := range tokenizer.EncodeTexts([]Text{{"<image", true}, {">" + s, false}}) {
				if tokenizer.tokens[id].special {
					t.Errorf("%s: a user's %q became special token %d", family.name, s, id)
				}
			}
		}
	}
}

// A merge for a special token, as converted vocabularies may have them, is none for a user's text.
func TestMergesMakeNoSpecialToken(t *testing.T) {
	t.Parallel()
	var file map[string]any
	if err := json.Unmarshal(readTestdata(t, filepath.Join("families", "vicuna.json")), &file); err != nil {
		t.Fatal(err)
	}
	id := int32(file["model"].(map[string]any)["vocab"].(map[string]any)["th"].(float64))
	file["added_tokens"] = append(file["added_tokens"].([]any), map[string]any{"id": id, "content": "th", "special": true})
	text, err := json.Marshal(file)
	if err != nil {
		t.Fatal(err)
	}
	tokenizer, err := ReadTokenizer(text)
	if err != nil {
		t.Fatal(err)
	}
	if ids := tokenizer.EncodeTexts(user("other")); slices.Contains(ids, id) {
		t.Errorf("a user's th became %d: %v", id, ids)
	}
	if ids := tokenizer.Encode("th"); !slices.Equal(ids, []int32{id}) {
		t.Errorf("a template's th became %v, want [%d]", ids, id)
	}
}

// longRuns are texts of about 100,000 characters in which pieces do not end, or all begin alike.
func longRuns() map[string]string {
	return map[string]string{
		"spaces": strings.Repeat(" ", 100_000), "letters": strings.Repeat("a", 100_000), "words": strings.Repeat("hello wörld ", 8_000),
		"marks": "a" + strings.Repeat("\u0301\u0323", 50_000), "specials": strings.Repeat("<s> ", 25_000), "broken": strings.Repeat("\xf0\x9f", 50_000),
	}
}

func TestLongRunsTakeNoQuadraticTime(t *testing.T) {
	t.Parallel()
	for _, family := range families() {
		tokenizer := family.read(t)
		for name, run := range longRuns() {
			start := time.Now()
			ids := tokenizer.Encode(run)
			if _, err := tokenizer.Decode(ids); err != nil {
				t.Error(err)
			}
			if took := time.Since(start); took > 10*time.Second { // half a second, alone on a core
				t.Errorf("%s: 100,000 characters of %s took %v", family.name, name, took)
			}
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	prompt := strings.Repeat("USER: What colour is the circle that appears last, and how many squares (of 12) are visible?\nA. red\nB. green\n", 20)[:2000]
	for _, family := range families() {
		tokenizer := family.read(b)
		b.Run(family.name, func(b *testing.B) {
			tokens := 0
			for b.Loop() {
				tokens += len(tokenizer.Encode(prompt))
			}
			b.ReportMetric(float64(tokens)/b.Elapsed().Seconds(), "tokens/s")
		})
	}
}
