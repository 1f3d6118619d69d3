package main

import (
	"encoding/json"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/winnow-video/winnow/infer/onnx"
)

// demo is the bundle that turns are taken with.
var demo = filepath.Join("..", "..", "..", "deploy", "bundle", "demo")

// take runs the program with a turn for every line.
func take(t *testing.T, o order, lines string) []figures {
	t.Helper()
	o.folder, o.engine.Threads, o.prompt, o.tokens = demo, 1, 16, 4
	var out strings.Builder
	if err := run(t.Context(), o, strings.NewReader(lines), &out); err != nil {
		t.Fatal(err)
	}
	var told []figures
	for line := range strings.Lines(out.String()) {
		var f figures
		if err := json.Unmarshal([]byte(line), &f); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		told = append(told, f)
	}
	if len(told) == 0 || len(told[0]) != 0 {
		t.Fatalf("told %v, want an empty object first", told)
	}
	return told[1:]
}

func TestTurns(t *testing.T) {
	for _, c := range []struct {
		name  string
		order order
		lines string
		want  []string
	}{
		{"vision", order{graph: "vision"}, "0.01\n0.01\n", []string{"frames/s"}},
		{"decoder", order{graph: "decoder"}, "0.01\n0.01\n", []string{"prefill-ns", "token-ns"}},
		{"traced", order{graph: "decoder", engine: onnx.Config{Profile: t.TempDir()}}, "0.01\n", []string{"outside-ns"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			told := take(t, c.order, c.lines)
			if len(told) != strings.Count(c.lines, "\n") {
				t.Fatalf("%d turns told, want %d", len(told), strings.Count(c.lines, "\n"))
			}
			for _, f := range told {
				if got := slices.Sorted(maps.Keys(f)); !slices.Equal(got, c.want) {
					t.Errorf("told %v, want %v", f, c.want)
				}
			}
		})
	}
}

func TestAnotherGraph(t *testing.T) {
	err := run(t.Context(), order{folder: demo, graph: "projector"}, strings.NewReader(""), &strings.Builder{})
	if err == nil || !strings.Contains(err.Error(), "vision or decoder") {
		t.Errorf("error %v, want one that names the graphs", err)
	}
}
