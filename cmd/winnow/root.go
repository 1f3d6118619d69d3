// Command winnow answers questions about videos in bulk: it submits jobs, runs
// the embedded stack and the Temporal worker, and reads results back. Each
// command is a file; what they share is here (flags, exit codes) and in output.go.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/winnow-video/winnow/workflows/control"
	"github.com/winnow-video/winnow/workflows/stack"
)

// The exit codes, as `winnow -h` lists them.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitItems       = 3
	exitCanceled    = 4
	exitInterrupted = 130
)

const rootLong = `Winnow answers questions about videos in bulk.

A manifest names videos and questions, one a line:

  {"id":"q1","video":"clips/a.mp4","question":"What colour is the car?","options":["red","blue"]}

Winnow decodes and encodes each video once, keeps the visual tokens that matter to
each question (ReDiPrune), and lets a language model answer. State lives under
.winnow/ and survives anything: the same command again goes on where it was.

  winnow run job.yaml          run a job on this machine, print its answers
  winnow up                    keep the stack running; submit jobs from elsewhere
  winnow results JOB           read results again, as JSON lines

Exit codes: 0 all items ok; 1 the command failed; 2 wrong usage; 3 the job finished
with failed items; 4 canceled or paused by its budget; 130 interrupted.`

// exitError is an error that ends the program with a code of its own. An empty
// text means that everything has been said.
type exitError struct {
	code int
	text string
}

func (e *exitError) Error() string { return e.text }

// usagef is an error in what was asked: exit code 2.
func usagef(format string, args ...any) error {
	return &exitError{exitUsage, fmt.Sprintf(format, args...)}
}

// app is what every command needs of the outside.
type app struct {
	in       io.Reader
	out, err io.Writer
	state    string        // folder of the embedded stack
	outside  stack.Outside // services in its place
}

// run executes one command line and returns the exit code.
func run(args []string, in io.Reader, out, errw io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // the second ^C ends the process at once
	a := &app{in: in, out: out, err: errw}
	root := a.root()
	root.SetArgs(args)
	return a.exitCode(ctx, root.ExecuteContext(ctx))
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use: "winnow", Short: "Answer questions about videos in bulk", Long: rootLong,
		SilenceUsage: true, SilenceErrors: true,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usagef("unknown command %q; see `winnow -h`", args[0])
			}
			return nil
		},
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usagef("%v; see `%s -h`", err, c.CommandPath())
	})
	root.PersistentFlags().StringVar(&a.state, "state", ".winnow", "folder of the embedded stack's state")
	a.outside.Bind(root.PersistentFlags())
	root.AddCommand(
		a.runCommand(), a.upCommand(), a.submitCommand(), a.addCommand(), a.lsCommand(), a.showCommand(), a.watchCommand(),
		a.resultsCommand(), a.evalCommand(), a.pauseCommand(), a.resumeCommand(), a.cancelCommand(), a.retryCommand(),
		a.validateCommand(), a.workerCommand(), a.pruneCommand(), a.framesCommand(), a.bundleCommand(),
		a.gcCommand(), a.forgetCommand(), a.doctorCommand(), a.versionCommand(), a.servicesTopic(),
	)
	return root
}

// exitCode prints what is left to say and maps the end of a command, here alone.
func (a *app) exitCode(ctx context.Context, err error) int {
	var coded *exitError
	var spent *control.SpentError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &spent):
		fmt.Fprintln(a.err, "winnow:", spentText(spent))
		return exitCanceled
	case errors.As(err, &coded):
		if coded.text != "" {
			fmt.Fprintln(a.err, "winnow:", coded.text)
		}
		return coded.code
	case ctx.Err() != nil:
		return exitInterrupted
	}
	fmt.Fprintln(a.err, "winnow:", err)
	return exitFailed
}

// exactArgs wants the named arguments, and says which one is missing.
func exactArgs(names ...string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		switch {
		case len(args) < len(names):
			return usagef("missing %s; see `%s -h`", names[len(args)], c.CommandPath())
		case len(args) > len(names):
			return usagef("unexpected %q; see `%s -h`", args[len(names)], c.CommandPath())
		}
		return nil
	}
}
