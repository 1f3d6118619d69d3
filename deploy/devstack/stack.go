package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
	uiserver "github.com/temporalio/ui-server/v2/server"
	"go.temporal.io/server/temporal"
)

const (
	readyWithin = 60 * time.Second // to start and to prove it; 1 to 2 s are usual
	stopWithin  = 20 * time.Second // after that the process ends anyway, as safe as kill -9
	portsFile   = "ports.json"
)

// serve runs the stack on its state folder until a signal asks it to stop or a server breaks.
func serve(cfg options) error {
	// A parent that dies takes neither its terminal's end nor a closed log pipe down with it: the next parent adopts the stack.
	signal.Ignore(syscall.SIGHUP, syscall.SIGPIPE)
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
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
	err = s.serveUntil(ctx, f)
	cancel() // a second signal ends the process at once
	return errors.Join(err, s.close())
}

// stack is the running servers.
type stack struct {
	ports    ports
	secrets  secrets
	temporal temporal.Server
	ui       *uiserver.Server
	nats     *natsserver.Server
	s3       *s3Server
}

// start starts all servers on f, or none.
func start(f *folder, cfg options) (*stack, error) {
	log := newLogger(cfg.logLevel)
	if err := os.Remove(f.file(readyFile)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	keys, err := loadCredentials(f)
	if err != nil {
		return nil, err
	}
	sql, err := openDatabase(f)
	if err != nil {
		return nil, err
	}
	chosen, inner, err := settlePorts(f, cfg.ports)
	if err != nil {
		return nil, err
	}
	s := &stack{ports: chosen, secrets: keys}
	if s.nats, err = startNATS(f.file("nats"), chosen.NATS, keys.NATS, log); err == nil {
		s.s3, err = startS3(f, chosen.S3, keys.S3)
	}
	if err == nil {
		s.temporal, err = startTemporal(sql, chosen, inner, log)
	}
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	s.ui = startUI(chosen)
	return s, nil
}

// settlePorts chooses the ports and remembers them for the next start.
func settlePorts(f *folder, wanted ports) (ports, internalPorts, error) {
	var remembered ports
	if _, err := f.readJSON(portsFile, &remembered); err != nil {
		return wanted, internalPorts{}, err
	}
	chosen, inner, err := choosePorts(wanted, remembered)
	if err != nil {
		return chosen, inner, err
	}
	return chosen, inner, f.writeJSON(portsFile, chosen)
}

// serveUntil proves the stack ready, announces it, and waits for ctx's end or a broken server.
func (s *stack) serveUntil(ctx context.Context, f *folder) error {
	proof, cancel := context.WithTimeoutCause(ctx, readyWithin, fmt.Errorf("not ready after %v", readyWithin))
	defer cancel()
	if err := probe(proof, s.ports, s.secrets); err != nil {
		if ctx.Err() != nil {
			return nil // stopped while starting
		}
		return err
	}
	ready, err := announce(s.ports, s.secrets)
	if err != nil {
		return err
	}
	if err := f.writeJSON(readyFile, ready); err != nil {
		return err
	}
	defer os.Remove(f.file(readyFile))
	fmt.Println(ready.line(f))
	select {
	case <-ctx.Done():
		return nil
	case err := <-s.s3.failed:
		return err
	}
}

// close stops whatever runs, Temporal first because it is the one that starts new work. It takes stopWithin at most: everything on
// disk is whole at any moment.
func (s *stack) close() error {
	done := make(chan error, 1)
	go func() { done <- s.stop() }()
	select {
	case err := <-done:
		return err
	case <-time.After(stopWithin):
		slog.Warn("stopped without waiting for the servers any longer", "after", stopWithin)
		return nil
	}
}

func (s *stack) stop() (err error) {
	if s.ui != nil {
		s.ui.Stop()
	}
	if s.temporal != nil {
		err = s.temporal.Stop()
	}
	if s.s3 != nil {
		s.s3.close()
	}
	if s.nats != nil {
		s.nats.Shutdown()
		s.nats.WaitForShutdown()
	}
	return err
}
