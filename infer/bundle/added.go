package bundle

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// none is no token.
const none = -1

// added finds tokens that are written out in text, such as <|im_start|>.
type added struct {
	tokens map[string]addedToken
	marks  *regexp.Regexp // any of them, the longest first; nil without one
}

// addedToken is an entry of added_tokens.
type addedToken struct {
	ID         int32  `json:"id"`
	Content    string `json:"content"`
	SingleWord bool   `json:"single_word"`
	LStrip     bool   `json:"lstrip"` // it swallows the white space before it
	RStrip     bool   `json:"rstrip"`
	Normalized bool   `json:"normalized"` // it is looked for in normalised text
	Special    bool   `json:"special"`
}

// run is one added token, or text without any.
type run struct {
	token int32 // or none
	text  passage
}

func newAdded(tokens []addedToken) (added, error) {
	if len(tokens) == 0 {
		return added{}, nil
	}
	a := added{tokens: map[string]addedToken{}}
	var contents []string
	for _, token := range tokens {
		if err := token.supported(); err != nil {
			return added{}, err
		}
		a.tokens[token.Content] = token
		contents = append(contents, regexp.QuoteMeta(token.Content))
	}
	slices.SortFunc(contents, func(a, b string) int { return len(b) - len(a) })
	marks, err := regexp.Compile(strings.Join(contents, "|"))
	a.marks = marks
	return a, err
}

// supported refuses what would be found elsewhere than HF finds it.
func (t addedToken) supported() error {
	if t.SingleWord || t.Content == "" || t.ID < 0 {
		return fmt.Errorf("added token %d %q: single_word is not supported, nor is an empty text or a negative id", t.ID, t.Content)
	}
	return nil
}

// cut cuts p at the tokens in its literal stretches.
func (a *added) cut(p passage) []run {
	if a.marks == nil && len(p) > 0 {
		return []run{{token: none, text: p}}
	}
	var runs []run
	whole := p.String()
	done, start := 0, 0
	for _, text := range p {
		for _, at := range a.find(text) {
			token := a.tokens[text.Text[at[0]:at[1]]]
			from, to := token.reach(whole, start+at[0], start+at[1])
			if from = max(from, done); done < from {
				runs = append(runs, run{token: none, text: p.slice(done, from)})
			}
			runs = append(runs, run{token: token.ID})
			done = to
		}
		start += len(text.Text)
	}
	if done < len(whole) {
		runs = append(runs, run{token: none, text: p.slice(done, len(whole))})
	}
	return runs
}

func (a *added) find(text Text) [][]int {
	if !text.Literal {
		return nil
	}
	return a.marks.FindAllStringIndex(text.Text, -1)
}

// reach widens the token's place from:to by the white space that it swallows.
func (t addedToken) reach(text string, from, to int) (int, int) {
	if t.LStrip {
		from = len(strings.TrimRightFunc(text[:from], unicode.IsSpace))
	}
	if t.RStrip {
		to = len(text) - len(strings.TrimLeftFunc(text[to:], unicode.IsSpace))
	}
	return from, to
}
