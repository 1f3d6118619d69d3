package supervise

import (
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// shell is a child that runs a script.
func shell(t *testing.T, script string) Child {
	t.Helper()
	return Child{
		Name: "shell", Path: "/bin/sh", Args: []string{"-c", script}, Log: filepath.Join(t.TempDir(), "shell.log"),
		Start: time.Minute, Stop: time.Minute,
	}
}

// launched starts the child and ends it with the test.
func launched(t *testing.T, child Child) *process {
	t.Helper()
	p, err := child.launch()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { child.end(p) })
	return p
}

func TestChildBecomesReadyAndEnds(t *testing.T) {
	t.Parallel()
	for name, script := range map[string]string{
		"on SIGTERM":              "echo ready; exec sleep 600",
		"on SIGKILL, overstaying": "trap '' TERM; echo ready; while :; do sleep 0.1; done",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			child := shell(t, script)
			if strings.Contains(name, "overstaying") {
				child.Stop = 50 * time.Millisecond
			}
			p := launched(t, child)
			if err := child.awaitReady(t.Context(), p); err != nil {
				t.Fatal(err)
			}
			child.end(p)
			if p.Alive() {
				t.Errorf("process %d runs on after its end", p.PID)
			}
		})
	}
}

func TestChildThatDiesSaysItsLastWords(t *testing.T) {
	t.Parallel()
	child := shell(t, "echo no library >&2; exit 3")
	err := child.awaitReady(t.Context(), launched(t, child))
	if err == nil || !strings.Contains(err.Error(), "exit status 3") || !strings.Contains(err.Error(), "no library") {
		t.Errorf("awaitReady: %v, want the exit status and the log's end", err)
	}
}

func TestChildReadyOfAnEarlierRunDoesNotCount(t *testing.T) {
	t.Parallel()
	child := shell(t, "echo ready")
	<-launched(t, child).exited
	child.Args = []string{"-c", "exit 1"}
	if err := child.awaitReady(t.Context(), launched(t, child)); err == nil {
		t.Error("awaitReady: took the log of the run before for its own")
	}
}

func TestIdentityIsNotItsNumberAlone(t *testing.T) {
	t.Parallel()
	p := launched(t, shell(t, "exec sleep 600"))
	if other := (Identity{PID: p.PID, Start: p.Start + "0"}); other.Alive() {
		t.Error("a process of another start time counts as the same")
	}
	if !p.Alive() {
		t.Error("the process itself does not count as alive")
	}
}
