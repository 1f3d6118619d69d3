package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/winnow-video/winnow/cmd/winnow/checkup"
)

const doctorLong = `Check what Winnow needs: its programs and that they start, the state folder, room on
its disk, and Temporal, NATS and S3: those of your own (` + "`winnow help services`" + `), else the
embedded stack, which is started for it.

Of the services it checks that they answer and know the credentials; of S3 the clock, the bucket,
writing, If-None-Match and If-Match; of NATS the account's limits, and that streams and buckets
are as Winnow makes them; of Temporal the namespace, search attributes, the version, who serves task queues, and in
which order the server hands out what waits: two dozen workflows that do nothing try that on a
queue of their own, and are deleted again.

A finding is ok, a warning, or wrong, with what to do. --fix makes what is absent, the bucket,
streams, key-value buckets and search attributes, and never changes what is there.`

func (a *app) doctorCommand() *cobra.Command {
	var fix, asJSON bool
	c := &cobra.Command{
		Use: "doctor", Short: "Check this machine and its services, and say how to mend them", Long: doctorLong, Args: exactArgs(),
		Example: "  winnow doctor\n  winnow doctor --services services.yaml --fix",
		RunE:    func(c *cobra.Command, _ []string) error { return a.doctor(c.Context(), fix, asJSON) },
	}
	c.Flags().BoolVar(&fix, "fix", false, "make what is absent")
	c.Flags().BoolVar(&asJSON, "json", false, "print the findings as JSON lines")
	return c
}

func (a *app) doctor(ctx context.Context, fix, asJSON bool) error {
	outside, err := a.outsideServices()
	if err != nil {
		return err
	}
	findings := a.checkMachine(ctx, outside != nil)
	if outside != nil {
		findings = append(findings, checkup.Services(ctx, *outside, checkup.Options{Fix: fix, Outside: true})...)
	} else {
		findings = append(findings, a.checkStack(ctx, fix)...)
	}
	if asJSON {
		err = printLines(a.out, findings)
	} else {
		a.printFindings(findings)
	}
	if bad := wrongs(findings); err == nil && bad > 0 {
		err = fmt.Errorf("%d of %d checks are wrong", bad, len(findings))
	}
	return err
}

func wrongs(findings []checkup.Finding) (n int) {
	for _, f := range findings {
		if f.Verdict == checkup.Wrong {
			n++
		}
	}
	return n
}

func printLines(w io.Writer, findings []checkup.Finding) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	for _, f := range findings {
		if err := enc.Encode(f); err != nil {
			return err
		}
	}
	return nil
}

// printFindings prints a table, and below it what to do.
func (a *app) printFindings(findings []checkup.Finding) {
	t := a.table("service", "check", "", "")
	for _, f := range findings {
		t.AppendRow([]any{f.Service, f.Check, f.Verdict, f.Said})
	}
	t.Render()
	for _, f := range findings {
		if f.Mend != "" {
			fmt.Fprintf(a.out, "%s: %s: %s\n", f.Service, f.Check, f.Mend)
		}
	}
}

// checkMachine checks programs and disk. With services outside, whoever only
// submits needs no other program.
func (a *app) checkMachine(ctx context.Context, outside bool) []checkup.Finding {
	names, missing := []string{"winnow-decode", "winnow-infer", "winnow-devstack"}, checkup.Wrong
	if outside {
		names, missing = names[:2], checkup.Warning
	}
	var findings []checkup.Finding
	for _, name := range names {
		said, err := checkProgram(ctx, name)
		findings = append(findings, machineFinding(name, said, err, missing))
	}
	said, err := checkDisk(a.state)
	return append(findings, machineFinding("disk", said, err, checkup.Wrong))
}

func machineFinding(check, said string, err error, bad checkup.Verdict) checkup.Finding {
	f := checkup.Finding{Service: "machine", Check: check, Verdict: checkup.OK, Said: said}
	if err != nil {
		f.Verdict, f.Said = bad, err.Error()
	}
	return f
}

// checkProgram runs it: a missing shared library shows only then.
func checkProgram(ctx context.Context, name string) (said string, err error) {
	path, err := program(name)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, path, "--version").CombinedOutput()
	first, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	if err != nil {
		return "", fmt.Errorf("%s --version: %w: %s; run `make build`", path, err, first)
	}
	return first, nil
}

// lowDisk is the room below which a state folder is reported.
const lowDisk = 2 << 30

func checkDisk(state string) (said string, err error) {
	if err := os.MkdirAll(state, 0o700); err != nil {
		return "", fmt.Errorf("state folder: %w; choose another with --state", err)
	}
	probe := filepath.Join(state, "doctor.probe")
	if err := os.WriteFile(probe, nil, 0o600); err != nil {
		return "", fmt.Errorf("state folder is not writable: %w; choose another with --state", err)
	}
	os.Remove(probe)
	var st unix.Statfs_t
	if err := unix.Statfs(state, &st); err != nil {
		return "", err
	}
	free := int64(st.Bavail) * st.Bsize
	said = fmt.Sprintf("%sB free for %s", si(float64(free)), state)
	if free < lowDisk {
		return "", fmt.Errorf("only %s; make room or choose another with --state", said)
	}
	return said, nil
}

// checkStack starts the stack, or shares the running one, and checks its
// services. Its workers come with it, and a winnow-infer with the first job.
func (a *app) checkStack(ctx context.Context, fix bool) []checkup.Finding {
	quiet := *a
	quiet.err = io.Discard
	s, err := quiet.share(ctx)
	if err != nil {
		return []checkup.Finding{machineFinding("embedded stack", "", err, checkup.Wrong)}
	}
	defer s.close()
	up := machineFinding("embedded stack", "process "+fmt.Sprint(s.Up.PID)+", console "+s.Services.TemporalUI, nil, checkup.Wrong)
	return append([]checkup.Finding{up}, checkup.Services(ctx, s.Services, checkup.Options{Fix: fix})...)
}
