package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
)

const doctorLong = `Check what Winnow needs on this machine: its four programs and that they start, the
state folder, room on its disk, and that the embedded stack comes up and answers.`

// finding is one check's outcome.
type finding struct {
	what, said string
	err        error
}

func (a *app) doctorCommand() *cobra.Command {
	return &cobra.Command{
		Use: "doctor", Short: "Check this machine and say how to mend it", Long: doctorLong, Args: exactArgs(),
		RunE: func(c *cobra.Command, _ []string) error { return a.doctor(c.Context()) },
	}
}

func (a *app) doctor(ctx context.Context) error {
	var findings []finding
	for _, name := range []string{"winnow-decode", "winnow-infer", "winnow-devstack"} {
		findings = append(findings, checkProgram(ctx, name))
	}
	findings = append(findings, checkDisk(a.state), a.checkStack(ctx))
	bad := 0
	t := a.table("check", "", "")
	for _, f := range findings {
		mark := "ok"
		if f.err != nil {
			mark, f.said = "bad", f.err.Error()
			bad++
		}
		t.AppendRow([]any{f.what, mark, f.said})
	}
	t.Render()
	if bad > 0 {
		return fmt.Errorf("%d of %d checks are bad", bad, len(findings))
	}
	return nil
}

// checkProgram runs it: a missing shared library shows only then.
func checkProgram(ctx context.Context, name string) finding {
	f := finding{what: name}
	path, err := program(name)
	if err != nil {
		f.err = err
		return f
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, path, "--version").CombinedOutput()
	first, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	if err != nil {
		f.err = fmt.Errorf("%s --version: %w: %s; run `make build`", path, err, first)
	}
	f.said = first
	return f
}

// lowDisk is the room below which a state folder is reported.
const lowDisk = 2 << 30

func checkDisk(state string) finding {
	f := finding{what: "disk"}
	if err := os.MkdirAll(state, 0o700); err != nil {
		f.err = fmt.Errorf("state folder: %w; choose another with --state", err)
		return f
	}
	probe := filepath.Join(state, "doctor.probe")
	if err := os.WriteFile(probe, nil, 0o600); err != nil {
		f.err = fmt.Errorf("state folder is not writable: %w; choose another with --state", err)
		return f
	}
	os.Remove(probe)
	var st unix.Statfs_t
	if f.err = unix.Statfs(state, &st); f.err != nil {
		return f
	}
	free := int64(st.Bavail) * st.Bsize
	f.said = fmt.Sprintf("%sB free for %s", si(float64(free)), state)
	if free < lowDisk {
		f.err = fmt.Errorf("only %s; make room or choose another with --state", f.said)
	}
	return f
}

// checkStack starts the stack, or shares the running one, and asks each service something.
func (a *app) checkStack(ctx context.Context) finding {
	f := finding{what: "stack"}
	quiet := *a
	quiet.err = io.Discard
	s, err := quiet.attach(ctx)
	if err != nil {
		f.err = err
		return f
	}
	defer s.close()
	began := time.Now()
	for _, err := range s.jobs.List(ctx) {
		if err != nil {
			f.err = fmt.Errorf("store: %w", err)
			return f
		}
	}
	if _, err := s.conn.bus.Workers(ctx); err != nil {
		f.err = fmt.Errorf("bus: %w", err)
		return f
	}
	f.said = fmt.Sprintf("Temporal %s, NATS %s, S3 %s; answered in %v", s.Services.Temporal.Address,
		strings.TrimPrefix(s.Services.NATS.URL, "nats://"), s.Services.S3.Endpoint, time.Since(began).Round(time.Millisecond))
	return f
}
