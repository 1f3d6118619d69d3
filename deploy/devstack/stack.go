package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"time"

	uiserver "github.com/temporalio/ui-server/v2/server"
	temporalconfig "go.temporal.io/server/common/config"
	"go.temporal.io/server/temporal"
)

const (
	stopWithin = 20 * time.Second // after that the process ends anyway, which is as safe as kill -9
	portsFile  = "ports.json"
)

// stack is the running servers.
type stack struct {
	ports    ports
	secrets  secrets
	temporal temporal.Server
	ui       *uiserver.Server
	nats     *natsServer
	s3       *s3Server
}

// start starts all servers on f, or none.
func start(f *folder, cfg options) (*stack, error) {
	if err := os.Remove(f.file(readyFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err // left by a kill
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
	if err := s.launch(f, sql, inner, newLogger(cfg.logLevel)); err != nil {
		return nil, errors.Join(err, s.close())
	}
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

// launch starts the servers one after the other, the slowest last.
func (s *stack) launch(f *folder, sql *temporalconfig.SQL, inner internalPorts, log *slog.Logger) (err error) {
	if s.nats, err = startNATS(f.file("nats"), s.ports.NATS, s.secrets.NATS, log); err != nil {
		return err
	}
	if s.s3, err = startS3(f, s.ports.S3, s.secrets.S3); err != nil {
		return err
	}
	s.ui = startUI(s.ports)
	if s.temporal, err = startTemporal(sql, s.ports, inner, log); err != nil {
		return fmt.Errorf("temporal, on %s: %w", f.file(databaseFile), err)
	}
	return nil
}

// broken waits for a server to break and says how, or returns nil when ctx ends.
func (s *stack) broken(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case err := <-s.s3.failed:
		return err
	case err := <-s.nats.failed:
		return err
	}
}

// close stops what runs. It takes stopWithin at most.
func (s *stack) close() error {
	done := make(chan error, 1)
	go func() { done <- s.stop() }()
	select {
	case err := <-done:
		return err
	case <-time.After(stopWithin):
		slog.Warn("the servers take too long to stop: ending without them", "waited", stopWithin)
		return nil
	}
}

// stop stops Temporal first: it is the one that begins new work.
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
		s.nats.close()
	}
	return err
}
