package bundle

import (
	"strings"

	"github.com/winnow-video/winnow/workflows/job"
)

// Letters name options, in order.
const Letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

// ParseAnswer reads what the model said about an item with these options: an
// option's text, else its letter. Case, white space and a final full stop do
// not matter. Text that can be read as no option, or as two, is unparsed: never a guess.
func ParseAnswer(text string, options []string) job.Answer {
	if len(options) == 0 {
		return job.Answer{Text: text, Parse: job.ParseText}
	}
	said := normalise(text)
	exact := matches(options, func(_ int, option string) bool { return normalise(option) == said })
	letter := matches(options, func(i int, option string) bool { return saysLetter(said, i, option) })
	switch {
	case len(exact) == 1 && (len(letter) == 0 || letter[0] == exact[0]):
		return chosen(text, exact[0], job.ParseExact)
	case len(exact) == 0 && len(letter) == 1:
		return chosen(text, letter[0], job.ParseLetter)
	}
	return job.Answer{Text: text, Parse: job.ParseUnparsed}
}

// matches lists the options for which says holds.
func matches(options []string, says func(i int, option string) bool) []int {
	var found []int
	for i, option := range options {
		if says(i, option) {
			found = append(found, i)
		}
	}
	return found
}

// saysLetter tells whether said is the i-th letter: "b", "(b)", "b)", "b." or "b. the option's text".
func saysLetter(said string, i int, option string) bool {
	if i >= len(Letters) {
		return false
	}
	letter := strings.ToLower(Letters[i : i+1])
	after, ok := strings.CutPrefix(strings.TrimPrefix(said, "("), letter)
	if !ok {
		return false
	}
	rest := strings.TrimLeft(after, ").:")
	marked := len(rest) < len(after) // "b cat" is not the letter b
	rest = strings.TrimSpace(rest)
	return rest == "" || marked && rest == normalise(option)
}

func normalise(text string) string {
	text = strings.ToLower(strings.Join(strings.Fields(text), " "))
	return strings.TrimSuffix(text, ".")
}

func chosen(text string, i int, how job.Parse) job.Answer {
	answer := job.Answer{Text: text, OptionIndex: &i, Parse: how}
	if i < len(Letters) {
		answer.Letter = Letters[i : i+1]
	}
	return answer
}
