package job

import (
	"encoding/json"
	"fmt"
	"strings"
)

// parseGold reads a manifest's answer: a number is a 0-based index, a string
// equal to an option's text is that option, else one letter; without options, a
// text. Two readings that disagree are an error.
func parseGold(answer json.RawMessage, options []string) (*Gold, error) {
	if len(answer) == 0 || string(answer) == "null" {
		return nil, nil
	}
	var index int
	if json.Unmarshal(answer, &index) == nil {
		return goldIndex(index, options)
	}
	var text string
	if json.Unmarshal(answer, &text) != nil || strings.TrimSpace(text) == "" {
		return nil, goldError("%s: want an option's text, letter or 0-based index", answer)
	}
	if len(options) == 0 {
		return &Gold{Text: text}, nil
	}
	return goldOption(text, options)
}

func goldIndex(index int, options []string) (*Gold, error) {
	switch {
	case len(options) == 0:
		return nil, goldError("the number %d is an option's index, and there are no options; quote it if it is the text", index)
	case index < 0 || index >= len(options):
		return nil, goldError("index %d: want 0 to %d", index, len(options)-1)
	}
	return &Gold{Option: &index}, nil
}

func goldOption(text string, options []string) (*Gold, error) {
	readings := map[int]bool{}
	for i, option := range options {
		if option == text {
			readings[i] = true
		}
	}
	if i, ok := LetterIndex(text); ok && i < len(options) {
		readings[i] = true
	}
	if len(readings) > 1 {
		return nil, goldError("%q can be read as %d different options; give the 0-based index instead", text, len(readings))
	}
	for i := range readings {
		return &Gold{Option: &i}, nil
	}
	return nil, goldError("%q is no option's text and no letter from A to %s", text, Letter(len(options)-1))
}

func goldError(format string, args ...any) error {
	return &FieldError{Field: "answer", Msg: fmt.Sprintf(format, args...)}
}

// Letter is the letter of the option with this 0-based index: A, B, …
func Letter(index int) string { return string(rune('A' + index)) }

// LetterIndex is the option that a letter names, in either case.
func LetterIndex(text string) (int, bool) {
	text = strings.ToUpper(strings.TrimSpace(text))
	if len(text) != 1 || text[0] < 'A' || text[0] > 'Z' {
		return 0, false
	}
	return int(text[0] - 'A'), true
}

// Matches says whether an answer is right. Texts are compared without case,
// surrounding space or a closing full stop.
func (g Gold) Matches(a Answer) bool {
	if g.Option != nil {
		return a.OptionIndex != nil && *a.OptionIndex == *g.Option
	}
	return Normalize(a.Text) == Normalize(g.Text)
}

// Normalize is the form in which answer texts are compared.
func Normalize(text string) string {
	text = strings.ToLower(strings.Join(strings.Fields(text), " "))
	return strings.TrimSpace(strings.TrimRight(text, "."))
}
