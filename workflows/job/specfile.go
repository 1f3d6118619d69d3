package job

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// FieldError is a value of a job that cannot be: where it stands, and what is wrong with it.
type FieldError struct {
	File  string // empty for values from flags
	Line  int    // 1-based; 0 where the file does not set the field
	Field string // path in the job file: prune[1].keep
	Msg   string
}

// Error prints file:line: field: message.
func (e *FieldError) Error() string {
	text := e.Msg
	if e.Field != "" {
		text = e.Field + ": " + text
	}
	switch {
	case e.File == "":
		return text
	case e.Line == 0:
		return e.File + ": " + text
	}
	return fmt.Sprintf("%s:%d: %s", e.File, e.Line, text)
}

// ParseSpec reads a job file. Unknown keys and ill-typed values are FieldErrors
// with their line; what the file leaves out is zero, except in prune, whose
// settings start from DefaultPruning, and priority, which starts at 1. Values are checked by Spec.Validate.
func ParseSpec(text []byte, file string) (Spec, error) {
	s := NewSpec()
	err := yaml.NewDecoder(bytes.NewReader(text), yaml.Strict()).Decode(&s)
	if err != nil && len(bytes.TrimSpace(text)) > 0 {
		return Spec{}, fieldError(err, file)
	}
	return s, nil
}

// Locate completes a FieldError of Validate with the file and line that set the field.
func Locate(err error, text []byte, file string) error {
	var fe *FieldError
	if !errors.As(err, &fe) {
		return err
	}
	return &FieldError{File: file, Line: lineOf(text, fe.Field), Field: fe.Field, Msg: fe.Msg}
}

// lineOf is the line of the field's value, or of its nearest ancestor that the text holds; 0 if none.
func lineOf(text []byte, field string) int {
	doc, err := parser.ParseBytes(text, 0)
	if err != nil {
		return 0
	}
	for ; field != ""; field = parent(field) {
		path, err := yaml.PathString("$." + field)
		if err != nil {
			return 0
		}
		node, err := path.FilterFile(doc)
		if err == nil && node != nil {
			return node.GetToken().Position.Line
		}
	}
	return 0
}

func parent(field string) string {
	for i := len(field) - 1; i > 0; i-- {
		if field[i] == '.' || field[i] == '[' {
			return field[:i]
		}
	}
	return ""
}

func fieldError(err error, file string) error {
	var at interface {
		GetMessage() string
		GetToken() *token.Token
	}
	if !errors.As(err, &at) || at.GetToken() == nil {
		return &FieldError{File: file, Msg: err.Error()}
	}
	return &FieldError{File: file, Line: at.GetToken().Position.Line, Msg: at.GetMessage()}
}

// UnmarshalYAML reads one setting or a list of them.
func (p *Prunings) UnmarshalYAML(ctx context.Context, node ast.Node) error {
	list, isList := node.(*ast.SequenceNode)
	if !isList {
		one, err := pruningFrom(ctx, node)
		*p = Prunings{one}
		return err
	}
	for _, value := range list.Values {
		one, err := pruningFrom(ctx, value)
		if err != nil {
			return err
		}
		*p = append(*p, one)
	}
	return nil
}

func pruningFrom(ctx context.Context, node ast.Node) (Pruning, error) {
	one := DefaultPruning()
	err := yaml.NodeToValue(node, &one, yaml.Strict())
	return one, err
}
