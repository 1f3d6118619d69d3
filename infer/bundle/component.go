package bundle

import (
	"fmt"
	"unicode/utf8"
)

// component is a normalizer, pre-tokenizer or decoder of tokenizer.json, with the fields of all.
type component struct {
	Type           string       `json:"type"`
	Pattern        textPattern  `json:"pattern"`
	Content        string       `json:"content"`
	Prepend        string       `json:"prepend"`
	Replacement    string       `json:"replacement"`
	PrependScheme  prefixScheme `json:"prepend_scheme"`
	AddPrefixSpace *bool        `json:"add_prefix_space"`
	Split          *bool        `json:"split"`
	UseRegex       *bool        `json:"use_regex"`
	Behavior       string       `json:"behavior"`
	Invert         bool         `json:"invert"`
	Start          int          `json:"start"`
	Stop           int          `json:"stop"`
	Normalizers    []component  `json:"normalizers"`
	PreTokenizers  []component  `json:"pretokenizers"`
	Decoders       []component  `json:"decoders"`
}

type textPattern struct {
	String string `json:"String"`
	Regex  string `json:"Regex"`
}

// normalizer of nothing changes nothing.
func (c *component) normalizer() (normalizer, error) {
	switch {
	case c == nil:
		return unchanged, nil
	case c.Type == "NFC":
		return nfc, nil
	case c.Type == "Prepend":
		return prepend(c.Prepend), nil
	case c.Type == "Replace" && utf8.RuneCountInString(c.Pattern.String) == 1:
		return replace(c.Pattern.String, c.Content), nil
	case c.Type == "Replace":
		return nil, fmt.Errorf("normalizer Replace: want a pattern of one character, got %+v", c.Pattern)
	case c.Type == "Sequence":
		return c.normalizers()
	}
	return nil, fmt.Errorf("normalizer %s is not supported", c.Type)
}

func (c *component) normalizers() (normalizer, error) {
	var all []normalizer
	for i := range c.Normalizers {
		n, err := c.Normalizers[i].normalizer()
		if err != nil {
			return nil, err
		}
		all = append(all, n)
	}
	return sequence(all), nil
}

// byteLevel says whether the vocabulary is written in bytes.
func (c *component) byteLevel() bool {
	if c == nil {
		return false
	}
	if n := len(c.PreTokenizers); c.Type == "Sequence" && n > 0 {
		return c.PreTokenizers[n-1].byteLevel()
	}
	return c.Type == "ByteLevel"
}

// splitter of nothing does not split.
func (c *component) splitter() (splitter, error) {
	switch {
	case c == nil:
		return whole{}, nil
	case c.Type == "Metaspace":
		return c.metaspace()
	case c.Type == "ByteLevel" && isTrue(c.UseRegex):
		return c.pattern(gpt2Pattern)
	case c.Type == "Sequence" && len(c.PreTokenizers) == 2:
		split, level := &c.PreTokenizers[0], &c.PreTokenizers[1]
		if split.Type != "Split" || level.Type != "ByteLevel" || isTrue(level.UseRegex) {
			break
		}
		if split.Behavior != "Isolated" || split.Invert || split.Pattern.Regex == "" {
			return nil, fmt.Errorf("pre_tokenizer Split: want behavior Isolated by a Regex, got %s by %+v, invert %t", split.Behavior, split.Pattern, split.Invert)
		}
		return level.pattern(split.Pattern.Regex)
	}
	return nil, fmt.Errorf("pre_tokenizer %s is not supported: want Metaspace, ByteLevel, a Sequence of Split and ByteLevel without use_regex, or none", c.names())
}

// names is the type, and those of what a sequence consists of.
func (c *component) names() string {
	var inner []string
	for _, p := range c.PreTokenizers {
		inner = append(inner, p.names())
	}
	if inner == nil {
		return c.Type
	}
	return fmt.Sprintf("%s %v", c.Type, inner)
}

// pattern is a ByteLevel's splitter by text.
func (c *component) pattern(text string) (splitter, error) {
	if isTrue(c.AddPrefixSpace) {
		return nil, fmt.Errorf("pre_tokenizer ByteLevel: add_prefix_space is not supported")
	}
	return newPattern(text)
}

// isTrue reads a switch that is on unless it is off, as HF's are.
func isTrue(b *bool) bool { return b == nil || *b }

func (c *component) metaspace() (splitter, error) {
	m := metaspace{space: c.Replacement, prefix: c.PrependScheme, cut: isTrue(c.Split)}
	if m.prefix == "" {
		m.prefix = prefixAlways
	}
	if !isTrue(c.AddPrefixSpace) {
		m.prefix = prefixNever
	}
	if utf8.RuneCountInString(m.space) != 1 || !oneOf(m.prefix, prefixAlways, prefixFirst, prefixNever) {
		return nil, fmt.Errorf("pre_tokenizer Metaspace: replacement %q or prepend_scheme %q is not supported", m.space, m.prefix)
	}
	return m, nil
}

// decoder is of the two kinds there are, and how a space is written in the vocabulary.
func (c *component) decoder(bytes bool) (decoder, string, error) {
	switch {
	case c == nil:
	case bytes && c.Type == "ByteLevel":
		return decoder{repair: repair}, "", nil
	case !bytes && c.Type == "Sequence":
		return c.fallback()
	}
	return decoder{}, "", fmt.Errorf("decoder %s is not supported: want ByteLevel under pre_tokenizer ByteLevel, else a Sequence of Replace, ByteFallback, Fuse and Strip", c.kind())
}

func (c *component) kind() string {
	if c == nil {
		return "null"
	}
	return c.Type
}

// fallback reads Replace, ByteFallback, Fuse and, where encoding puts a space first, Strip.
func (c *component) fallback() (decoder, string, error) {
	want := []string{"Replace", "ByteFallback", "Fuse", "Strip"}
	for i, d := range c.Decoders {
		if i >= len(want) || d.Type != want[i] {
			return decoder{}, "", fmt.Errorf("decoder %s is not supported at place %d of a Sequence: want %v", d.Type, i, want)
		}
	}
	if len(c.Decoders) < 3 {
		return decoder{}, "", fmt.Errorf("decoder Sequence of %d: want %v", len(c.Decoders), want)
	}
	space := c.Decoders[0]
	if space.Content != " " || utf8.RuneCountInString(space.Pattern.String) != 1 {
		return decoder{}, "", fmt.Errorf("decoder Replace: want one character by a space, got %+v by %q", space.Pattern, space.Content)
	}
	out := decoder{repair: repairFallback}
	if len(c.Decoders) == 4 {
		strip := c.Decoders[3]
		if strip.Content != " " || strip.Start != 1 || strip.Stop != 0 {
			return decoder{}, "", fmt.Errorf("decoder Strip: want one space from the start, got %q, %d and %d", strip.Content, strip.Start, strip.Stop)
		}
		out.lead = " "
	}
	return out, space.Pattern.String, nil
}
