package supervise

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/winnow-video/winnow/workflows/stack"
	"github.com/winnow-video/winnow/workflows/wait"
)

// poll is how often a user looks whether the supervisor lives.
const poll = 100 * time.Millisecond

// Session is a share in a running stack. While one is open, the stack stays.
type Session struct {
	Up       Up
	Services stack.Services
	Started  bool // Attach had it started

	state   string
	starter Starter
	users   *lock
}

// Starter is what starts a stack: `Program up --while-used --state STATE Args…`.
type Starter struct {
	Program string
	Args    []string
	Outside *stack.Services // to work on, in place of servers of the stack's own; Args must name them too
}

// Elsewhere is a session on services that nobody here has to keep running.
func Elsewhere(services stack.Services) *Session { return &Session{Services: services} }

// Attach shares the stack of a state folder, having starter start one where none
// runs. tell hears what it waits for.
func Attach(ctx context.Context, state string, starter Starter, tell func(string)) (*Session, error) {
	if err := os.MkdirAll(filepath.Join(state, logFolder), 0o700); err != nil {
		return nil, err
	}
	users, err := shareUse(ctx, filepath.Join(state, usersFile), tell)
	if err != nil {
		return nil, err
	}
	s := &Session{state: state, starter: starter, users: users}
	if err := s.start(ctx, tell); err != nil {
		users.release()
		return nil, err
	}
	return s, nil
}

// Close gives the share back; the last one lets the stack stop.
func (s *Session) Close() {
	if s.users != nil {
		s.users.release()
	}
}

// Running returns the supervisor of a state folder, if one runs.
func Running(state string) (Up, bool) {
	up, err := readUp(state)
	return up, err == nil && up.Alive()
}

// Guard starts the supervisor again whenever it dies while ctx lasts.
func (s *Session) Guard(ctx context.Context, tell func(string)) {
	for wait.Sleep(ctx, time.Second) == nil {
		if s.Up.Alive() {
			continue
		}
		tell("the stack's supervisor died; starting it again")
		if err := s.start(ctx, tell); err != nil && ctx.Err() == nil {
			tell(err.Error())
		}
	}
}

// shareUse waits while a stopping supervisor holds the users' lock.
func shareUse(ctx context.Context, path string, tell func(string)) (*lock, error) {
	for told := false; ; told = true {
		users, err := takeLock(path, unix.LOCK_SH|unix.LOCK_NB)
		if !errors.Is(err, errLocked) {
			return users, err
		}
		if !told {
			tell("waiting for the stack to stop")
		}
		if wait.Sleep(ctx, poll) != nil {
			return nil, ctx.Err()
		}
	}
}

// start waits for a running supervisor, starting one where the lock is free.
func (s *Session) start(ctx context.Context, tell func(string)) error {
	for {
		if up, ok := Running(s.state); ok {
			return s.join(up)
		}
		free, err := takeLock(filepath.Join(s.state, lockFile), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case err == nil:
			free.release()
			tell(s.starter.what() + " in " + s.state)
			if err := s.spawn(ctx); err != nil {
				return err
			}
			s.Started = true
		case !errors.Is(err, errLocked):
			return err
		case wait.Sleep(ctx, poll) != nil:
			return ctx.Err()
		}
	}
}

// join uses the services of a running supervisor. One that works on others than
// were asked for is no use.
func (s *Session) join(up Up) (err error) {
	if want := placeOf(s.starter.Outside); up.Place != want {
		return fmt.Errorf("in %s runs a worker on %s (process %d), and this command was told of %s: stop that one, or choose another --state",
			s.state, placeName(up.Place), up.PID, placeName(want))
	}
	s.Up = up
	if s.starter.Outside != nil {
		s.Services = *s.starter.Outside
		return nil
	}
	s.Services, err = stack.ReadState(s.state)
	return err
}

func placeOf(outside *stack.Services) string {
	if outside == nil {
		return ""
	}
	return outside.Place()
}

func placeName(place string) string { return cmp.Or(place, "the embedded stack") }

// what says what starting takes.
func (s Starter) what() string {
	if s.Outside != nil {
		return "starting a worker on " + s.Outside.Place()
	}
	return "starting Temporal, NATS and S3"
}

// spawn starts a supervisor and waits until it is up, another one is, or it ended.
func (s *Session) spawn(ctx context.Context) error {
	child := Child{
		Name: "winnow up", Path: s.starter.Program,
		Args: append([]string{"up", "--while-used", "--state", s.state}, s.starter.Args...),
		Log:  filepath.Join(s.state, logFolder, "up.log"),
	}
	p, err := child.launch()
	if err != nil {
		return err
	}
	for {
		if _, ok := Running(s.state); ok {
			return nil
		}
		select {
		case <-p.exited:
			return s.afterExit(child, p)
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(poll):
		}
	}
}

// afterExit forgives a supervisor that ended because another one was quicker.
func (s *Session) afterExit(child Child, p *process) error {
	var ended *exec.ExitError
	if errors.As(p.err, &ended) && ended.ExitCode() == ExitRunning {
		return nil
	}
	return child.died(p)
}

// ExitRunning is the exit code of `winnow up` where a stack runs already.
const ExitRunning = 75
