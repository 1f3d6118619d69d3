package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// asProgram makes the test binary be winnow-devstack itself, so that the tests run the real program as a process.
const asProgram = "WINNOW_DEVSTACK_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		limitFileSize()
		os.Exit(run(os.Args[1:]))
	}
	os.Exit(m.Run())
}

// fileSize limits how large a file the program may write: a disk that is full for large files.
const fileSize = "WINNOW_DEVSTACK_TEST_FILE_BYTES"

func limitFileSize() {
	bytes, err := strconv.ParseUint(os.Getenv(fileSize), 10, 64)
	if err != nil {
		return
	}
	signal.Ignore(syscall.SIGXFSZ) // so that a write beyond the limit fails, as on a full disk
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: bytes, Max: bytes}); err != nil {
		panic(err)
	}
}

// program is winnow-devstack with the given arguments, not started yet. The caller's test ends it at the latest.
func program(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.Env = append(os.Environ(), asProgram+"=1")
	return cmd
}

// runs runs winnow-devstack to its end.
func runs(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	cmd := program(t, args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

// instance is a winnow-devstack that has said it is ready.
type instance struct {
	announcement
	dir    string
	cmd    *exec.Cmd
	stdout *bufio.Reader
	stderr *bytes.Buffer
}

// startIn starts winnow-devstack on dir and waits for its ready line.
func startIn(t *testing.T, dir string, args ...string) *instance {
	t.Helper()
	return started(t, dir, program(t, append([]string{"--state", dir}, args...)...))
}

// started starts cmd, which is winnow-devstack on dir, and waits for its ready line.
func started(t *testing.T, dir string, cmd *exec.Cmd) *instance {
	t.Helper()
	in := &instance{dir: dir, cmd: cmd, stderr: new(bytes.Buffer)}
	cmd.Stderr = in.stderr
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	in.stdout = bufio.NewReader(pipe)
	line, err := in.stdout.ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "ready ") {
		in.kill(t)
		t.Fatalf("standard output %q, %v; standard error:\n%s", line, err, in.stderr)
	}
	in.announcement = readAnnouncement(t, dir)
	return in
}

func readAnnouncement(t *testing.T, dir string) announcement {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, readyFile))
	if err != nil {
		t.Fatal(err)
	}
	var a announcement
	if err := json.Unmarshal(data, &a); err != nil {
		t.Fatal(err)
	}
	return a
}

// stop asks the program to stop and fails the test unless it does so with exit code 0 and without another word on standard output.
func (in *instance) stop(t *testing.T, signal os.Signal) {
	t.Helper()
	if err := in.cmd.Process.Signal(signal); err != nil {
		t.Fatal(err)
	}
	rest, err := in.stdout.ReadString(0)
	if rest != "" {
		t.Errorf("standard output after the ready line: %q (%v)", rest, err)
	}
	if err := in.cmd.Wait(); err != nil {
		t.Fatalf("stopped with %v; standard error:\n%s", err, in.stderr)
	}
}

// kill ends the program as kill -9 does.
func (in *instance) kill(t *testing.T) {
	t.Helper()
	_ = in.cmd.Process.Kill() // unless it has ended
	_ = in.cmd.Wait()         // reports the kill
}

// refused runs winnow-devstack on dir and fails the test unless it exits with 1 and says each of the words.
func refused(t *testing.T, args []string, words ...string) {
	t.Helper()
	code, stdout, stderr := runs(t, args...)
	if code != exitFailure || stdout != "" {
		t.Errorf("exit code %d and standard output %q, want %d and nothing; standard error:\n%s", code, stdout, exitFailure, stderr)
	}
	for _, word := range words {
		if !strings.Contains(stderr, word) {
			t.Errorf("standard error does not say %q:\n%s", word, stderr)
		}
	}
}
