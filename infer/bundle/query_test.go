package bundle

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
)

// asked is a prompt of testdata/families/questions.json and what Hugging Face makes of it.
type asked struct {
	Before, Question, After string
	IDs                     map[string]map[Tokenize][]int32 // of the question, by tokenizer
}

// The ids of query `question` are those of the prompt's tokens that the question has a part in.
func TestQuestionStandsInThePrompt(t *testing.T) {
	t.Parallel()
	var all []asked
	if err := json.Unmarshal(readTestdata(t, filepath.Join("families", "questions.json")), &all); err != nil {
		t.Fatal(err)
	}
	if len(all) < 100 {
		t.Fatalf("questions.json holds %d prompts, want at least 100", len(all))
	}
	for _, family := range families()[:4] {
		tokenizer := family.read(t)
		for _, how := range []Tokenize{TokenizeWhole, TokenizePerSide} {
			t.Run(fmt.Sprintf("%s,%s", family.name, how), func(t *testing.T) {
				t.Parallel()
				for _, a := range all {
					b := a.bundle(t, tokenizer, how)
					if got, want := b.questionIDs(Question{Text: a.Question}), a.IDs[family.name][how]; !slices.Equal(got, want) {
						t.Errorf("%q + %q + %q: %v, Hugging Face has %v", a.Before, a.Question, a.After, got, want)
					}
				}
			})
		}
	}
}

// bundle is one of nothing but a template and a tokenizer.
func (a asked) bundle(t *testing.T, tokenizer *Tokenizer, how Tokenize) *Bundle {
	t.Helper()
	cut, err := parseTemplate(Template{Prompt: "USER: {frames}" + a.Before + "{question}" + a.After}, "", "")
	if err != nil {
		t.Fatal(err)
	}
	return &Bundle{Manifest: Manifest{Tokenize: how}, tokenizer: tokenizer, template: cut}
}
