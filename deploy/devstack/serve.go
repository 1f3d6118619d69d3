package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

const readyWithin = 60 * time.Second // to start and to prove it; 1 to 2 s are usual

// serve runs the stack on its state folder until a signal asks it to stop or a server breaks.
func serve(cfg options) error {
	// Neither a parent's closed terminal nor its closed log pipe ends the stack: the next parent adopts it.
	signal.Ignore(syscall.SIGHUP, syscall.SIGPIPE)
	out := os.Stdout
	os.Stdout = os.Stderr // where the servers' own chatter goes; standard output is for the ready line
	syscall.Umask(0o077)  // databases and objects are this user's alone
	asked, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	f, err := openFolder(cfg.state)
	if err != nil {
		return err
	}
	defer f.close()
	s, err := start(f, cfg)
	if err != nil {
		return err
	}
	err = s.serveUntil(asked, f, out)
	cancel() // a second signal ends the process at once
	return errors.Join(err, s.close())
}

// serveUntil proves the stack ready, announces it, and returns when asked to stop, or with the reason when a server breaks.
func (s *stack) serveUntil(asked context.Context, f *folder, out io.Writer) error {
	ctx, broke := context.WithCancelCause(asked)
	defer broke(nil)
	go func() { broke(s.broken(ctx)) }()
	err := s.prove(ctx)
	if err == nil {
		err = s.announceUntil(ctx, f, out)
	}
	switch {
	case asked.Err() != nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	return err
}

func (s *stack) prove(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, readyWithin, fmt.Errorf("not ready after %v", readyWithin))
	defer cancel()
	return probe(ctx, s.ports, s.secrets)
}

// announceUntil keeps the ready file in place until ctx ends.
func (s *stack) announceUntil(ctx context.Context, f *folder, out io.Writer) error {
	ready, err := announce(s.ports, s.secrets)
	if err != nil {
		return err
	}
	if err := f.writeJSON(readyFile, ready); err != nil {
		return err
	}
	fmt.Fprintln(out, ready.line(f))
	<-ctx.Done()
	return os.Remove(f.file(readyFile))
}
