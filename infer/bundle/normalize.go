package bundle

import (
	"slices"
	"strings"
	"unicode/utf8"

	utf8text "golang.org/x/text/encoding/unicode"
	"golang.org/x/text/unicode/norm"
)

// normalizer rewrites the text between added tokens. User's stretches stay user's.
type normalizer func(passage) passage

func unchanged(p passage) passage { return p }

// sequence is one normalizer after another.
func sequence(all []normalizer) normalizer {
	return func(p passage) passage {
		for _, n := range all {
			p = n(p)
		}
		return p
	}
}

// prepend puts prefix before any text but the empty one.
func prepend(prefix string) normalizer {
	return func(p passage) passage {
		if len(p) == 0 {
			return nil
		}
		return append(passage{{Text: prefix + p[0].Text, Literal: p[0].Literal}}, p[1:]...)
	}
}

// replace puts to in place of the character from.
func replace(from, to string) normalizer {
	return func(p passage) passage {
		var w writer
		for _, text := range p {
			w.write(strings.ReplaceAll(text.Text, from, to), text.Literal)
		}
		return w.passage()
	}
}

// squeeze drops spaces at both ends, and all but one in between: SentencePiece's
// remove_extra_whitespaces, which at the end takes ▁ for a space too.
func squeeze(p passage) passage {
	var w writer
	rest := len(strings.TrimRight(p.String(), " ▁"))
	space := true // what came before
	for _, text := range p {
		for at, r := range text.Text {
			if at < rest && (r != ' ' || !space) {
				w.write(string(r), text.Literal)
			}
			space = r == ' '
		}
		rest -= len(text.Text)
	}
	return w.passage()
}

// repair returns s with U+FFFD in place of every maximal ill-formed part, as
// Unicode recommends and both Python and Rust do.
func repair(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	valid, err := utf8text.UTF8.NewDecoder().String(s)
	if err != nil {
		return strings.ToValidUTF8(s, "\ufffd")
	}
	return valid
}

// letter is a character under normalisation.
type letter struct {
	r       rune
	class   uint8 // canonical combining class; 0 starts a new letter
	literal bool
}

// nfc composes characters. x/text puts U+034F into runs of more than 30 marks and
// cannot be told not to, hence the two loops of the standard over its tables.
func nfc(p passage) passage {
	if norm.NFC.IsNormalString(p.String()) {
		return p
	}
	var w writer
	for _, l := range compose(decompose(p)) {
		w.write(string(l.r), l.literal)
	}
	return w.passage()
}

// decompose is p in NFD: marks ordered by class, equal ones as they stood.
func decompose(p passage) []letter {
	var letters []letter
	for _, text := range p {
		for _, r := range text.Text {
			for _, part := range norm.NFD.String(string(r)) {
				class := norm.NFD.PropertiesString(string(part)).CCC()
				letters = append(letters, letter{r: part, class: class, literal: text.Literal})
			}
		}
	}
	for from := 0; from < len(letters); {
		to := from + 1
		for letters[from].class > 0 && to < len(letters) && letters[to].class > 0 {
			to++
		}
		slices.SortStableFunc(letters[from:to], func(a, b letter) int { return int(a.class) - int(b.class) })
		from = to
	}
	return letters
}

// compose puts letters together that have a common character, each with the
// letter before it unless a mark of its own class or a higher one stands between.
func compose(letters []letter) []letter {
	var out []letter
	base := -1 // in out
	for _, l := range letters {
		if base >= 0 && (base == len(out)-1 || out[len(out)-1].class < l.class) {
			if r, ok := composite(out[base].r, l.r); ok {
				out[base].r, out[base].literal = r, out[base].literal && l.literal
				continue
			}
		}
		if l.class == 0 {
			base = len(out)
		}
		out = append(out, l)
	}
	return out
}

func composite(a, b rune) (rune, bool) {
	both := norm.NFC.String(string([]rune{a, b}))
	r, size := utf8.DecodeRuneInString(both)
	return r, size == len(both)
}
