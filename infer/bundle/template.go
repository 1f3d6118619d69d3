package bundle

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Template is the text around frames, question and options. Fields stand in braces.
type Template struct {
	// Prompt holds {frames} once, {question}, {options}, and may hold {n} (frames
	// looked at), {times} (their seconds) and {duration_s}.
	Prompt string `json:"prompt"`
	// Options takes the place of {options} where an item has some; {list} is one Option after another.
	Options string `json:"options"`
	// Option is one of them, with {letter} and {text}.
	Option string `json:"option"`
}

// The fields of each template.
func promptFields() []string {
	return []string{"frames", "question", "options", "n", "times", "duration_s"}
}
func prefixFields() []string  { return []string{"i", "n", "time_s"} }
func optionsFields() []string { return []string{"list"} }
func optionFields() []string  { return []string{"letter", "text"} }

// template is a Template and what stands beside frames, cut into pieces.
type template struct {
	head, tail      []segment // of Prompt, before and after {frames}
	prefix, suffix  []segment // of a frame's rows
	options, option []segment
}

// segment is literal text or, if field is set, a field's place.
type segment struct{ literal, field string }

// fieldPattern is a field in braces.
var fieldPattern = regexp.MustCompile(`\{[a-z_]+\}`)

func parseTemplate(t Template, prefix, suffix string) (template, error) {
	prompt, err := parseSegments("template.prompt", t.Prompt, promptFields())
	if err != nil {
		return template{}, err
	}
	frames := func(s segment) bool { return s.field == "frames" }
	at := slices.IndexFunc(prompt, frames)
	if at < 0 || slices.ContainsFunc(prompt[at+1:], frames) {
		return template{}, fmt.Errorf("template.prompt: want {frames} exactly once")
	}
	out := template{head: prompt[:at], tail: prompt[at+1:]}
	if out.prefix, err = parseSegments("frame_prefix", prefix, prefixFields()); err != nil {
		return template{}, err
	}
	if out.suffix, err = parseSegments("frame_suffix", suffix, prefixFields()); err != nil {
		return template{}, err
	}
	if out.options, err = parseSegments("template.options", t.Options, optionsFields()); err != nil {
		return template{}, err
	}
	out.option, err = parseSegments("template.option", t.Option, optionFields())
	return out, err
}

// parseSegments cuts text at its fields, which must all be among known.
func parseSegments(name, text string, known []string) ([]segment, error) {
	var out []segment
	for _, at := range fieldPattern.FindAllStringIndex(text, -1) {
		field := text[at[0]+1 : at[1]-1]
		if !slices.Contains(known, field) {
			return nil, fmt.Errorf("%s: unknown field {%s}: known are %s", name, field, strings.Join(known, ", "))
		}
	}
	end := 0
	for _, at := range fieldPattern.FindAllStringIndex(text, -1) {
		out = append(out, segment{literal: text[end:at[0]]}, segment{field: text[at[0]+1 : at[1]-1]})
		end = at[1]
	}
	return append(out, segment{literal: text[end:]}), nil
}

// fill puts values in place of fields. Only literals may hold special tokens.
func fill(segments []segment, values map[string][]Text) []Text {
	var out []Text
	for _, s := range segments {
		if s.field == "" {
			out = append(out, Text{Text: s.literal, Literal: true})
			continue
		}
		out = append(out, values[s.field]...)
	}
	return out
}

// user is a value that must not be read as part of the template.
func user(text string) []Text { return []Text{{Text: text}} }

// choices is what stands for {options}.
func (t *template) choices(options []string) []Text {
	if len(options) == 0 {
		return nil
	}
	var list []Text
	for i, option := range options {
		list = append(list, fill(t.option, map[string][]Text{"letter": user(Letters[i : i+1]), "text": user(option)})...)
	}
	return fill(t.options, map[string][]Text{"list": list})
}

// cutAtQuestion is what stands before and behind {question} on its side of the
// frames; first says that it is before them. Without one it is the side behind them.
func (t *template) cutAtQuestion() (before, after []segment, first bool) {
	asks := func(s segment) bool { return s.field == "question" }
	side, at := t.head, slices.IndexFunc(t.head, asks)
	if first = at >= 0; !first {
		side, at = t.tail, slices.IndexFunc(t.tail, asks)
	}
	return side[:max(at, 0)], side[at+1:], first
}

// openEnd is the template and its field that the prompt of a question with options
// ends with, where that is none of the template's own text.
func (t *template) openEnd() (name, field string) {
	for _, part := range []struct {
		name     string
		segments []segment
	}{{"template.prompt", t.tail}, {"template.options", t.options}, {"template.option", t.option}} {
		last := len(part.segments) - 1
		if part.segments[last].literal != "" || last == 0 {
			return "", ""
		}
		name, field = part.name, part.segments[last-1].field
		if field != "options" && field != "list" {
			break
		}
	}
	return name, field
}

// asksFirst says whether anything of a question stands before the frames.
func (t *template) asksFirst() bool {
	return slices.ContainsFunc(t.head, func(s segment) bool { return s.field == "question" || s.field == "options" })
}

// values fills the prompt's fields for a question.
func (t *template) values(q Question) map[string][]Text {
	return map[string][]Text{
		"question":   user(q.Text),
		"options":    t.choices(q.Options),
		"n":          user(strconv.Itoa(len(q.Times))),
		"times":      user(listTimes(q.Times)),
		"duration_s": user(seconds(q.Duration)),
	}
}

// beside is the text before or after frame i of q.
func beside(part []segment, q Question, i int) []Text {
	return fill(part, map[string][]Text{
		"i": user(strconv.Itoa(i + 1)), "n": user(strconv.Itoa(len(q.Times))), "time_s": user(seconds(q.Times[i])),
	})
}

// listTimes is "0.00s,1.25s", as LLaVA-Video writes frame times.
func listTimes(times []float64) string {
	texts := make([]string, len(times))
	for i, s := range times {
		texts[i] = seconds(s) + "s"
	}
	return strings.Join(texts, ",")
}

func seconds(s float64) string { return strconv.FormatFloat(s, 'f', 2, 64) }
