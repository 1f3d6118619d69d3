package main_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/winnow-video/winnow/decode/client"
	"github.com/winnow-video/winnow/workflows/job"
)

// killing is a source that kills the child of this process that asks it first.
type killing struct{ client.Source }

func (k killing) ReadRange(ctx context.Context, p []byte, off int64) error {
	for _, pid := range childrenOf(os.Getpid()) {
		_ = unix.Kill(pid, unix.SIGKILL)
	}
	return k.Source.ReadRange(ctx, p, off)
}

// childrenOf lists the decoders that pid started.
func childrenOf(pid int) (pids []int) {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		stat, err := os.ReadFile(path)
		if err != nil {
			continue // it ended meanwhile
		}
		name, rest, _ := strings.Cut(string(stat), ") ")
		fields := strings.Fields(rest)
		id, _, _ := strings.Cut(name, " (")
		child, err := strconv.Atoi(id)
		if err == nil && strings.HasSuffix(name, "("+programName) && fields[1] == strconv.Itoa(pid) && fields[0] != "Z" {
			pids = append(pids, child)
		}
	}
	return pids
}

// Not parallel: it kills every decoder of this process.
func TestKilledChildIsATypedFailure(t *testing.T) {
	src, err := client.OpenFile(h264(t, "clip.mp4"))
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	_, err = decoder(t).Run(t.Context(), frames(1), killing{src})
	wantCode(t, err, job.CapacityKilled)
}

// decodeSlowly is the process that TestChildDiesWithItsParent kills: it decodes the
// file at path, never answering the child's first question.
func decodeSlowly(path string) {
	src, err := client.OpenFile(path)
	if err != nil {
		fmt.Println(err)
		return
	}
	program, err := exec.LookPath(programName)
	if err != nil {
		fmt.Println(err)
		return
	}
	held := holding{src, make(chan struct{})}
	go func() {
		<-held.asked
		fmt.Println("asked", childrenOf(os.Getpid()))
	}()
	_, err = client.Decoder{Path: program}.Run(context.Background(), frames(1), held)
	fmt.Println(err)
}

func TestChildDiesWithItsParent(t *testing.T) {
	t.Parallel()
	parent := exec.Command(os.Args[0])
	parent.Env = append(os.Environ(), parentOf+"="+h264(t, "clip.mp4"))
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	said, err := bufio.NewReader(out).ReadString('\n')
	var child int
	if _, scanErr := fmt.Sscanf(said, "asked [%d]", &child); scanErr != nil {
		t.Fatalf("the parent said %q: %v, %v", said, err, scanErr)
	}
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait() // killed, as asked
	for stillRuns(child) {
		if t.Context().Err() != nil {
			t.Fatal("the child outlived its parent")
		}
	}
}

func stillRuns(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !strings.Contains(string(stat), ") Z ")
}
