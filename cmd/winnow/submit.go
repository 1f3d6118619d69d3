package main

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/winnow-video/winnow/cmd/winnow/supervise"
)

const submitLong = `Submit a job to the stack that ` + "`winnow up`" + ` keeps running, and return at once.
Prints the job's id; look at it with winnow watch, show and results.

` + sampleHelp + `

With services of your own (` + "`winnow help services`" + `), videos of this machine are sent to S3 first,
under the digest of their content: what lies there already is not sent again. The bundle's
folder must be the same, at the same path, where ` + "`winnow worker` and `winnow-infer`" + ` run.

` + specFlagsHelp + `

` + budgetHelp

func (a *app) submitCommand() *cobra.Command {
	var fresh, asJSON bool
	var drawn sampleFlags
	c := &cobra.Command{Use: "submit [JOB.yaml]", Short: "Submit a job to the running stack", Long: submitLong, Args: jobFileArg}
	flags := addSpecFlags(c)
	drawn.bind(c.Flags())
	c.Flags().BoolVar(&fresh, "new", false, "start a further run even where one is unfinished")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c.RunE = func(c *cobra.Command, args []string) error {
		p, err := a.check(c.Context(), flags, jobFile(args))
		if err != nil {
			return err
		}
		if err := drawn.draw(p); err != nil {
			return err
		}
		if up, ok := supervise.Running(a.state); !a.outside.Given() && (!ok || !up.Lasting) {
			return fmt.Errorf("no lasting stack runs in %s, and a submitted job would stop with this command: start one with `winnow up`, or use `winnow run`", a.state)
		}
		s, err := a.attach(c.Context())
		if err != nil {
			return err
		}
		defer s.close()
		id, outcome, err := a.submit(c.Context(), s, p, fresh)
		if err != nil {
			return err
		}
		a.tellWaiting(c.Context(), s, id)
		if asJSON {
			return json.NewEncoder(a.out).Encode(map[string]string{"id": id.String(), "outcome": string(outcome)})
		}
		_, err = fmt.Fprintln(a.out, id)
		return err
	}
	return c
}
