package main

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"
)

const validateLong = `Check a job without running it: the job file's keys, every line of the manifest,
and the digest of every file of the bundle. Errors name file, line and field.

` + specFlagsHelp

func (a *app) validateCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "validate [JOB.yaml]", Short: "Check a job, its manifest and its bundle", Long: validateLong,
		Example: "  winnow validate job.yaml\n  winnow validate --manifest m.jsonl --bundle bundles/demo --keep 0.2",
		Args:    jobFileArg,
	}
	flags := addSpecFlags(c)
	c.Flags().BoolVar(&asJSON, "json", false, "print the job as it would run, as JSON")
	c.RunE = func(c *cobra.Command, args []string) error {
		p, err := a.check(c.Context(), flags, jobFile(args))
		if err != nil {
			return err
		}
		if asJSON {
			return json.NewEncoder(a.out).Encode(p.spec)
		}
		videos := map[string]bool{}
		for _, item := range p.items {
			videos[item.Video] = true
		}
		_, err = fmt.Fprintf(a.out, "%s: ok: %d %s on %d %s, %d pruning %s, bundle %s (%s)\n", p.spec.Name,
			len(p.items), plural(len(p.items), "item"), len(videos), plural(len(videos), "video"),
			len(p.spec.Prune), plural(len(p.spec.Prune), "setting"), p.bundle.Name, p.digest[:12])
		return err
	}
	return c
}
