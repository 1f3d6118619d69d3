// Package e2e tests the four programs together, as a user runs them: real videos
// and the demo bundle go into bin/winnow, records and exit codes come out. Every
// test has a state folder, and so a stack, of its own. What the command line says
// without a stack is tested beside package main, by scripts.
package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// patience bounds every wait for something that must happen. It decides how long
// a broken build takes to fail, never whether a slow machine passes.
const patience = 4 * time.Minute

// stacks bounds how many stacks run at once; each is four programs.
var stacks = make(chan struct{}, 2)

// TestMain wants the programs and the bundle before any test runs.
func TestMain(m *testing.M) {
	for _, path := range []string{
		program("winnow"), program("winnow-decode"), program("winnow-infer"), program("winnow-devstack"),
		filepath.Join(bundleDir(), "bundle.json"), filepath.Join(clipsDir(), "manifest.jsonl"),
	} {
		if _, err := os.Stat(path); err != nil {
			fmt.Fprintf(os.Stderr, "e2e: %v: these tests run the built programs on the demo bundle; run `make build` first\n", err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

func program(name string) string { return absolute("../../../bin", name) }
func bundleDir() string          { return absolute("../../../deploy/bundle/demo") }
func clipsDir() string           { return absolute("../../../deploy/bundle/demo-clips") }

func absolute(parts ...string) string {
	path, err := filepath.Abs(filepath.Join(parts...))
	if err != nil {
		panic(err)
	}
	return path
}

// rig is a test's folder with its own state.
type rig struct {
	t     *testing.T
	dir   string
	state string
	env   []string // variables of its commands, beside the tests' own
}

// newRig waits for a free place among the running stacks. At the test's end the
// stack is stopped, and on failure the ends of its logs are printed.
func newRig(t *testing.T) *rig {
	t.Helper()
	t.Parallel()
	stacks <- struct{}{}
	t.Cleanup(func() { <-stacks })
	dir := t.TempDir()
	r := &rig{t: t, dir: dir, state: filepath.Join(dir, "state")}
	t.Cleanup(r.stop)
	return r
}

// stop ends whatever of the stack still runs, the supervisor first. One that has
// removed its up.json is stopping its children already.
func (r *rig) stop() {
	if r.t.Failed() {
		r.dumpLogs()
	}
	if up, ok := r.supervisor(); ok && up.alive() {
		_ = syscall.Kill(up.PID, syscall.SIGTERM)
		if !within(time.Minute, func() bool { return !up.alive() }) {
			_ = syscall.Kill(up.PID, syscall.SIGKILL)
		}
	}
	if within(time.Minute, func() bool { return len(r.running()) == 0 }) {
		return
	}
	for name, child := range r.running() {
		r.t.Errorf("%s (process %d) outlived its supervisor, want it stopped", name, child.PID)
		_ = syscall.Kill(child.PID, syscall.SIGKILL)
	}
}

// dumpLogs prints the end of every log.
func (r *rig) dumpLogs() {
	logs, _ := filepath.Glob(filepath.Join(r.state, "logs", "*.log"))
	for _, path := range logs {
		text, err := os.ReadFile(path)
		if err != nil {
			r.t.Log(err)
			continue
		}
		lines := strings.Split(strings.TrimSpace(string(text)), "\n")
		r.t.Logf("the end of %s:\n%s", path, strings.Join(lines[max(0, len(lines)-25):], "\n"))
	}
}

// command is one run of winnow.
type command struct {
	t      *testing.T
	cmd    *exec.Cmd
	out    bytes.Buffer
	err    bytes.Buffer
	exited chan struct{}
}

// start runs winnow with this state folder in the background.
func (r *rig) start(args ...string) *command {
	r.t.Helper()
	c := &command{t: r.t, cmd: exec.Command(program("winnow"), append(args, "--state", r.state)...), exited: make(chan struct{})}
	return r.launch(c)
}

// launch starts a command of this rig's folder and variables.
func (r *rig) launch(c *command) *command {
	r.t.Helper()
	c.cmd.Dir, c.cmd.Env = r.dir, append(os.Environ(), r.env...)
	c.cmd.Stdout, c.cmd.Stderr = &c.out, &c.err
	if err := c.cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	go func() {
		_ = c.cmd.Wait()
		close(c.exited)
	}()
	r.t.Cleanup(func() { c.signal(syscall.SIGKILL); <-c.exited })
	return c
}

func (c *command) running() bool {
	select {
	case <-c.exited:
		return false
	default:
		return true
	}
}

func (c *command) signal(sig syscall.Signal) {
	if err := c.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		c.t.Errorf("signal %v to winnow: %v", sig, err)
	}
}

// wait waits for the command's end and wants this exit code.
func (c *command) wait(code int) {
	c.t.Helper()
	select {
	case <-c.exited:
	case <-time.After(patience):
		c.signal(syscall.SIGQUIT)
		<-c.exited
		c.t.Fatalf("winnow %v: still running after %v, want exit %d; stderr ends:\n%s", c.cmd.Args[1:], patience, code, c.tail())
	}
	if got := c.cmd.ProcessState.ExitCode(); got != code {
		c.t.Fatalf("winnow %v: exit %d, want %d\nstdout:\n%.2000s\nstderr:\n%s", c.cmd.Args[1:], got, code, c.out.String(), c.tail())
	}
}

func (c *command) tail() string {
	text := c.err.String()
	return text[max(0, len(text)-4000):]
}

// winnow runs a command to its end and wants this exit code.
func (r *rig) winnow(code int, args ...string) *command {
	r.t.Helper()
	c := r.start(args...)
	c.wait(code)
	return c
}

// eventually waits until cond holds.
func (r *rig) eventually(what string, cond func() bool) {
	r.t.Helper()
	if !within(patience, cond) {
		r.t.Fatalf("waited %v in vain until %s", patience, what)
	}
}

func within(d time.Duration, cond func() bool) bool {
	for deadline := time.Now().Add(d); time.Now().Before(deadline); time.Sleep(2 * time.Millisecond) {
		if cond() {
			return true
		}
	}
	return false
}
