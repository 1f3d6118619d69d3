package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// process is a program that runs on a host.
type process struct {
	cmd   *exec.Cmd
	asked atomic.Bool   // to end, or killed: it did not by itself
	done  chan struct{} // closed when it has ended
}

// start runs args on host h, its output appended to the host's log. `ip netns
// exec` becomes the program, so the process is the program's own.
func (c *Cluster) start(h Host, env, args []string) (*process, error) {
	log, err := os.OpenFile(c.LogPath(h.Name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	fmt.Fprintf(log, "--- %s %s\n", time.Now().UTC().Format(time.RFC3339), strings.Join(args, " "))
	cmd := c.on(context.Background(), h, env, args)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("%s: %w", h.Name, err)
	}
	p := &process{cmd: cmd, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		_ = cmd.Wait()
	}()
	return p, nil
}

// on is a command of host h, in the host's own folder.
func (c *Cluster) on(ctx context.Context, h Host, env, args []string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "ip", append([]string{"netns", "exec", h.namespace()}, args...)...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Dir = c.folder(h.Name)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a ^C is this process's to deal with
	return cmd
}

func (p *process) runs() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// stop asks the process to end and waits until it has, limit at most.
func (p *process) stop(limit time.Duration) error {
	p.asked.Store(true)
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
		return nil
	case <-time.After(limit):
		return fmt.Errorf("%s did not end within %v of SIGTERM", strings.Join(p.cmd.Args[4:], " "), limit)
	}
}

func (p *process) kill() {
	p.asked.Store(true)
	_ = p.cmd.Process.Kill()
	<-p.done
}

func kill(pid int) { _ = syscall.Kill(pid, syscall.SIGKILL) }

// Children returns the processes called name that run on a host.
func (c *Cluster) Children(host, name string) ([]int, error) {
	space, err := os.Stat("/run/netns/" + c.host(host).namespace())
	if err != nil {
		return nil, err
	}
	comms, err := filepath.Glob("/proc/[0-9]*/comm")
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, path := range comms {
		comm, err := os.ReadFile(path)
		if err != nil || strings.TrimSpace(string(comm)) != name {
			continue
		}
		its, err := os.Stat(filepath.Join(filepath.Dir(path), "ns/net"))
		if err != nil || !os.SameFile(space, its) {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil {
			return nil, err
		}
		pids = append(pids, pid)
	}
	return pids, nil
}

// KillOne kills one process called name on a host, as soon as one runs.
func (c *Cluster) KillOne(ctx context.Context, host, name string) error {
	for ctx.Err() == nil {
		pids, err := c.Children(host, name)
		if err != nil {
			return err
		}
		if len(pids) > 0 {
			kill(pids[0])
			return nil
		}
		pause(ctx)
	}
	return errors.Join(fmt.Errorf("no %s ran on %s", name, host), ctx.Err())
}

// pause is how long a look at the machine waits before the next.
func pause(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(20 * time.Millisecond):
	}
}
