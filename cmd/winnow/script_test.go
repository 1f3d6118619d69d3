package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/winnow-video/winnow/infer/tensor"
)

// TestMain makes `winnow` a command of the scripts, run by this test binary itself.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"winnow": main})
}

// TestScripts runs testdata/script: what the command line says without a stack.
func TestScripts(t *testing.T) {
	t.Parallel()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			env.Setenv("ROOT", root)
			env.Setenv("BUNDLE", filepath.Join(root, "deploy", "bundle", "demo"))
			env.Setenv("PATH", env.Getenv("PATH")+string(os.PathListSeparator)+filepath.Join(root, "bin"))
			return writeTokens(filepath.Join(env.WorkDir, "tokens.safetensors"))
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits},
	})
}

// exits runs winnow and wants this exit code: exits 2 validate job.yaml
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE ARG...")
	}
	err := ts.Exec("winnow", args[1:]...)
	want := "exit status " + args[0]
	if (args[0] == "0") != (err == nil) || (err != nil && err.Error() != want) {
		ts.Fatalf("winnow %v: %v, want %s", args[1:], err, want)
	}
}

// writeTokens writes 2 frames of 4 tokens [2,4,2] and a query [2].
func writeTokens(path string) error {
	f := &tensor.File{}
	tokens, err := tensor.From([]float32{1, 0, 0, 1, -1, 0, 0, -1, 1, 0, 1, 0, 0, 1, 1, 1}, 2, 4, 2)
	if err != nil {
		return err
	}
	query, err := tensor.From([]float32{1, 0}, 2)
	if err != nil {
		return err
	}
	tensor.Put(f, "visual_tokens", tokens)
	tensor.Put(f, "text_query", query)
	bytes, err := tensor.Encode(f)
	if err != nil {
		return err
	}
	return os.WriteFile(path, bytes, 0o644)
}

// TestExitCodesAreListed keeps `winnow -h` and the constants together.
func TestExitCodesAreListed(t *testing.T) {
	t.Parallel()
	for _, code := range []int{exitOK, exitFailed, exitUsage, exitItems, exitCanceled, exitInterrupted} {
		if want := fmt.Sprintf("%d ", code); !strings.Contains(rootLong, want) {
			t.Errorf("`winnow -h` does not list exit code %d", code)
		}
	}
}
