package bundle

import "strings"

// passage is text in the making, literal and user's stretches by turns.
type passage []Text

// writer makes a passage. Neighbours of one kind become one stretch.
type writer struct {
	done    passage
	open    strings.Builder
	literal bool // of open
}

func (w *writer) write(text string, literal bool) {
	if literal != w.literal {
		w.close()
		w.literal = literal
	}
	w.open.WriteString(text)
}

func (w *writer) close() {
	if w.open.Len() > 0 {
		w.done = append(w.done, Text{Text: w.open.String(), Literal: w.literal})
		w.open.Reset()
	}
}

func (w *writer) passage() passage {
	w.close()
	return w.done
}

// join makes texts one passage, and repairs their UTF-8.
func join(texts []Text) passage {
	var w writer
	for _, text := range texts {
		w.write(repair(text.Text), text.Literal)
	}
	return w.passage()
}

func (p passage) String() string {
	if len(p) == 1 {
		return p[0].Text
	}
	var out strings.Builder
	for _, text := range p {
		out.WriteString(text.Text)
	}
	return out.String()
}

// slice is p's bytes from ≤ i < to.
func (p passage) slice(from, to int) passage {
	var out passage
	at := 0
	for _, text := range p {
		a, b := max(from-at, 0), min(to-at, len(text.Text))
		if a < b {
			out = append(out, Text{Text: text.Text[a:b], Literal: text.Literal})
		}
		at += len(text.Text)
	}
	return out
}
