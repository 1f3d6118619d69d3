package child

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/winnow-video/winnow/decode/wire"
)

// process is a started winnow-decode. Its streams are the parent's ends.
type process struct {
	pid    int
	ranges *os.File
	stdout *os.File
	stderr *tail
	ended  chan error // its Wait's error, once
}

// start starts program on req. On an error nothing is left behind.
func start(program string, req wire.Request) (*process, error) {
	text, err := json.Marshal(req)
	if err != nil {
		return nil, err
	}
	ranges, childRanges, err := socketPair()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", program, err)
	}
	defer childRanges.Close()
	stdout, childStdout, err := os.Pipe()
	if err != nil {
		ranges.Close()
		return nil, fmt.Errorf("start %s: %w", program, err)
	}
	defer childStdout.Close()
	p := &process{ranges: ranges, stdout: stdout, stderr: &tail{}, ended: make(chan error, 1)}
	cmd := exec.Command(program)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(text), childStdout, p.stderr
	cmd.ExtraFiles = []*os.File{childRanges}
	cmd.Env = []string{"GOMAXPROCS=2", "LANG=C"} // no credentials: it reads hostile bytes
	cmd.SysProcAttr = attributes()
	if err := p.run(cmd); err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

// run starts cmd and waits for it on a thread of its own: the kernel sends the
// child its parent-death signal when the thread that started it ends.
func (p *process) run(cmd *exec.Cmd) error {
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		if err == nil {
			p.pid = cmd.Process.Pid
		}
		started <- err
		if err == nil {
			p.ended <- cmd.Wait()
		}
	}()
	return <-started
}

// kill ends the child and all it may have started; repeated calls are harmless
// until it is reaped.
func (p *process) kill() { _ = unix.Kill(-p.pid, unix.SIGKILL) }

func (p *process) close() {
	p.ranges.Close()
	p.stdout.Close()
}

func socketPair() (parent, child *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	if err := unix.SetNonblock(fds[0], true); err != nil { // so that Close ends a blocked read
		unix.Close(fds[0])
		unix.Close(fds[1])
		return nil, nil, err
	}
	return os.NewFile(uintptr(fds[0]), "ranges"), os.NewFile(uintptr(fds[1]), "child's ranges"), nil
}

// tail keeps the last bytes written to it.
type tail struct{ last []byte }

const tailSize = 4 << 10

var _ io.Writer = (*tail)(nil)

func (t *tail) Write(p []byte) (int, error) {
	t.last = append(t.last, p...)
	if over := len(t.last) - tailSize; over > 0 {
		t.last = append(t.last[:0], t.last[over:]...)
	}
	return len(p), nil
}

// firstLine is the first line of what is kept: Go's and the C library's crashes begin with the reason.
func (t *tail) firstLine() string {
	line, _, _ := strings.Cut(strings.TrimSpace(string(t.last)), "\n")
	return line
}
