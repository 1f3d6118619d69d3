// These tests run the program as winnow does, as a child of decode/client, on
// clips whose frames carry their number.
package main_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/winnow-video/winnow/decode/client"
	"github.com/winnow-video/winnow/decode/wire"
)

// program is the built winnow-decode; parentOf, in the environment, has this test
// binary decode a file with it and be killed meanwhile: see TestChildDiesWithItsParent.
const (
	programName = "winnow-decode"
	parentOf    = "WINNOW_TEST_PARENT_OF"
)

func TestMain(m *testing.M) {
	if path := os.Getenv(parentOf); path != "" {
		decodeSlowly(path)
		return
	}
	os.Exit(built(m))
}

// built builds the program, runs the tests, and removes it.
func built(m *testing.M) int {
	dir, err := os.MkdirTemp("", programName)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	build := exec.Command("go", "build", "-o", dir, ".")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "build winnow-decode:", err)
		return 1
	}
	os.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	return m.Run()
}

func decoder(t testing.TB) client.Decoder {
	t.Helper()
	path, err := exec.LookPath(programName)
	if err != nil {
		t.Fatal(err)
	}
	return client.Decoder{Path: path}
}

// decodeFile decodes the file at path; req.Container is its extension.
func decodeFile(t testing.TB, path string, req wire.Request) (*client.Clip, error) {
	t.Helper()
	src, err := client.OpenFile(path)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	req.Container = filepath.Ext(path)
	return decoder(t).Run(t.Context(), req, src)
}

func mustDecode(t testing.TB, path string, req wire.Request) *client.Clip {
	t.Helper()
	clip, err := decodeFile(t, path, req)
	if err != nil {
		t.Fatalf("%s: %v", filepath.Base(path), err)
	}
	return clip
}

// frames asks for n frames as they are.
func frames(n int) wire.Request { return wire.Request{Sampling: wire.Sampling{Count: n}} }

func TestHelpTeaches(t *testing.T) {
	t.Parallel()
	out, err := exec.Command(decoder(t).Path, "-h").CombinedOutput()
	if err != nil {
		t.Fatalf("-h: %v: %s", err, out)
	}
	for _, want := range []string{"winnow frames", "stdin", "fd 3", "stdout", "--version"} {
		if !strings.Contains(strings.ToLower(string(out)), want) {
			t.Errorf("-h does not mention %s", want)
		}
	}
}

func TestUsageErrorExitsWith2(t *testing.T) {
	t.Parallel()
	err := exec.Command(decoder(t).Path, "--fast").Run()
	var exit *exec.ExitError
	if !asExit(err, &exit) || exit.ExitCode() != 2 {
		t.Errorf("%v, want exit status 2", err)
	}
}

func asExit(err error, exit **exec.ExitError) bool {
	e, ok := err.(*exec.ExitError)
	*exit = e
	return ok
}

// The build is the same in --version, in which keys are computed, and in clips.
func TestVersionIsTheDecoderOfClips(t *testing.T) {
	t.Parallel()
	build, err := decoder(t).Build(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	clip := mustDecode(t, encode(t, numbered(3), "v.mkv", "-c:v", "ffv1"), frames(1))
	if clip.Info.Decoder != build || !strings.Contains(build, "7.1") {
		t.Errorf("--version says %q, a clip %q", build, clip.Info.Decoder)
	}
}
