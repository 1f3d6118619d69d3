package stack

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// readFile lays a file of services over s. Relative paths in it are relative to
// the file. Errors name the file and the line, and show no value.
func readFile(path string, s *Services) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("file of services: %w", err)
	}
	doc, err := parser.ParseBytes(text, 0)
	if err != nil {
		return yamlError(path, err)
	}
	f := servicesFile{path: path, into: s, settings: map[string]setting{}}
	for _, one := range append(settings(), languageURL()) {
		f.settings[one.key] = one
	}
	for _, d := range doc.Docs {
		if d.Body == nil {
			continue
		}
		if err := f.take("", d.Body, 1); err != nil {
			return err
		}
	}
	return nil
}

// languageURL is in the file alone: winnow-infer has a flag and a variable for it.
func languageURL() setting {
	return setting{key: "language_url", set: text(func(s *Services) *string { return &s.LanguageURL })}
}

// yamlError leaves out the excerpt of the text that the parser shows: it may hold a secret.
func yamlError(path string, err error) error {
	var at interface {
		GetMessage() string
		GetToken() *token.Token
	}
	if !errors.As(err, &at) || at.GetToken() == nil {
		return fmt.Errorf("%s: not YAML", path)
	}
	return fmt.Errorf("%s:%d: not YAML: %s", path, at.GetToken().Position.Line, at.GetMessage())
}

// servicesFile is a file being read.
type servicesFile struct {
	path     string
	into     *Services
	settings map[string]setting
}

// take reads what stands at a path of the file: temporal, temporal.tls,
// temporal.tls.ca_file. line is where its key stands.
func (f servicesFile) take(key string, node ast.Node, line int) error {
	if known, ok := f.settings[key]; ok {
		return f.set(known, node, line)
	}
	mapping, ok := node.(ast.MapNode)
	switch {
	case !f.isGroup(key):
		return f.wrong(line, "unknown key %s: `winnow help services` lists what there is", key)
	case node.Type() == ast.NullType:
		return nil
	case !ok:
		return f.wrong(line, "want keys below %s, one a line", cmp.Or(key, "the file's root"))
	}
	for entries := mapping.MapRange(); entries.Next(); {
		name := entries.Key()
		below := strings.TrimPrefix(key+"."+name.GetToken().Value, ".")
		if err := f.take(below, entries.Value(), name.GetToken().Position.Line); err != nil {
			return err
		}
	}
	return nil
}

// isGroup says whether settings begin with key; all of them stand below the file's root.
func (f servicesFile) isGroup(key string) bool {
	if key == "" {
		return true
	}
	for known := range f.settings {
		if strings.HasPrefix(known, key+".") {
			return true
		}
	}
	return false
}

func (f servicesFile) set(s setting, node ast.Node, line int) error {
	value, ok := scalar(node)
	if !ok {
		return f.wrong(line, "%s: want one value, or a list of them; between { } quote what holds a colon", s.key)
	}
	if value == "" {
		return nil
	}
	if strings.HasSuffix(s.key, "_file") && !filepath.IsAbs(value) {
		value = filepath.Join(filepath.Dir(f.path), value)
	}
	if err := s.set(f.into, value); err != nil {
		return f.wrong(line, "%s: %w", s.key, err)
	}
	return nil
}

func (f servicesFile) wrong(line int, format string, args ...any) error {
	return fmt.Errorf("%s:%d: %w", f.path, line, fmt.Errorf(format, args...))
}

// scalar is a value as it was written. Those of a list are separated by commas;
// null is empty.
func scalar(node ast.Node) (string, bool) {
	switch n := node.(type) {
	case *ast.NullNode:
		return "", true
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		return n.GetToken().Value, true
	case *ast.SequenceNode:
		values := make([]string, len(n.Values))
		for i, one := range n.Values {
			if values[i], _ = scalar(one); values[i] == "" {
				return "", false
			}
		}
		return strings.Join(values, ","), true
	}
	return "", false
}
