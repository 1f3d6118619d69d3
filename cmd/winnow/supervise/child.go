package supervise

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// Child is a program to keep running. It prints a line that begins with "ready"
// when it serves.
type Child struct {
	Name  string // in the ledger, the logs and messages
	Path  string
	Args  []string
	Log   string        // file for stdout and stderr: a pipe would end with the supervisor
	Start time.Duration // how long it may take to be ready
	Stop  time.Duration // how long it may take to stop after SIGTERM
}

// process is one run of a child, started by us or adopted.
type process struct {
	Identity
	exited chan struct{} // closed when it is gone
	err    error         // how it ended; valid after exited, unknown (nil) for adopted ones
	logAt  int64         // where its log begins
}

// launch starts the child in a session of its own, so that a terminal's ^C reaches the supervisor alone.
func (c Child) launch() (*process, error) {
	log, err := os.OpenFile(c.Log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	at, err := log.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(c.Path, c.Args...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", c.Name, err)
	}
	p := &process{exited: make(chan struct{}), logAt: at}
	p.Identity, err = identify(cmd.Process.Pid)
	go func() {
		p.err = cmd.Wait()
		close(p.exited)
	}()
	if err != nil {
		<-p.exited
		return nil, c.died(p)
	}
	return p, nil
}

// adopt follows a process that an earlier supervisor started.
func adopt(id Identity) *process {
	p := &process{Identity: id, exited: make(chan struct{})}
	go func() {
		for id.Alive() {
			time.Sleep(200 * time.Millisecond)
		}
		close(p.exited)
	}()
	return p
}

// awaitReady waits for the ready line.
func (c Child) awaitReady(ctx context.Context, p *process) error {
	ctx, cancel := context.WithTimeout(ctx, c.Start)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if c.saidReady(p) {
			return nil
		}
		select {
		case <-p.exited:
			return c.died(p)
		case <-ctx.Done():
			return fmt.Errorf("%s was not ready within %v; its log is %s", c.Name, c.Start, c.Log)
		case <-tick.C:
		}
	}
}

func (c Child) saidReady(p *process) bool {
	for line := range logLines(c.Log, p.logAt) {
		if strings.HasPrefix(line, "ready") {
			return true
		}
	}
	return false
}

// died says how a child ended, with its last words.
func (c Child) died(p *process) error {
	var last []string
	for line := range logLines(c.Log, p.logAt) {
		last = append(last, line)
		if len(last) > 6 {
			last = last[1:]
		}
	}
	how := "ended"
	if p.err != nil {
		how = p.err.Error()
	}
	return fmt.Errorf("%s: %s; the end of %s:\n  %s", c.Name, how, c.Log, strings.Join(last, "\n  "))
}

// end stops p: SIGTERM, then SIGKILL when it overstays.
func (c Child) end(p *process) {
	if !p.Alive() {
		return
	}
	_ = syscall.Kill(p.PID, syscall.SIGTERM)
	select {
	case <-p.exited:
	case <-time.After(c.Stop):
		_ = syscall.Kill(p.PID, syscall.SIGKILL)
		<-p.exited
	}
}

// logLines yields the lines of a log from an offset on.
func logLines(path string, from int64) func(func(string) bool) {
	return func(yield func(string) bool) {
		file, err := os.Open(path)
		if err != nil {
			return
		}
		defer file.Close()
		if _, err := file.Seek(from, io.SeekStart); err != nil {
			return
		}
		scanner := bufio.NewScanner(file)
		for scanner.Scan() && yield(scanner.Text()) {
		}
	}
}
