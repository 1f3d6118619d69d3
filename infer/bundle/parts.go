package bundle

import "strings"

// Part is a piece of what a model is shown that sees frames as images: text or,
// without any, a frame.
type Part struct {
	Text  string
	Frame int // below T
}

// Parts lays text and frames out as the template does.
func (b *Bundle) Parts(q Question) []Part {
	values := b.template.values(q)
	var parts []Part
	side := fill(b.template.head, values)
	for t := range q.Times {
		if b.Layout == PerFrame {
			side = append(side, beside(b.template.prefix, q, t)...)
		}
		parts = append(appendText(parts, side), Part{Frame: t})
		side = nil
		if b.Layout == PerFrame {
			side = beside(b.template.suffix, q, t)
		}
	}
	return appendText(parts, append(side, fill(b.template.tail, values)...))
}

// appendText appends what is not blank.
func appendText(parts []Part, texts []Text) []Part {
	var b strings.Builder
	for _, t := range texts {
		b.WriteString(t.Text)
	}
	if text := strings.TrimSpace(b.String()); text != "" {
		return append(parts, Part{Text: text})
	}
	return parts
}
