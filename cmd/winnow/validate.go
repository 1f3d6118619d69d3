package main

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/winnow-video/winnow/infer/bundle"
	"github.com/winnow-video/winnow/workers"
	"github.com/winnow-video/winnow/workflows/job"
)

const validateLong = `Check a job without running it: the job file's keys, every line of the manifest,
and the digest of every file of the bundle. Errors name file, line and field.
Questions whose prompts do not fit the model's context are named as well: run,
each of them fails alone, if its video has all the frames asked for.

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
		spec, b, err := openJob(c.Context(), flags, jobFile(args))
		if err != nil {
			return err
		}
		defer b.Close()
		p, err := a.checkItems(spec, b)
		if err != nil {
			return err
		}
		if err := a.tellTooLong(p, b); err != nil {
			return usageError(err)
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

// tellTooLong names the lines whose prompts do not fit, the first of them at least.
func (a *app) tellTooLong(p *plan, b *bundle.Bundle) error {
	judge, err := workers.Judge(p.spec, b)
	if err != nil {
		return err
	}
	tooLong := 0
	for _, item := range p.items {
		failure := judge(item)
		if failure == nil {
			continue
		}
		if tooLong++; tooLong <= maxErrorsShown {
			detail := job.AsFailure(job.StageAnswer, failure).Detail
			fmt.Fprintln(a.err, &job.LineError{File: p.spec.Manifest, Line: item.Line, Field: "question", Msg: detail})
		}
	}
	if tooLong > maxErrorsShown {
		fmt.Fprintf(a.err, "%d questions do not fit, the first %d above\n", tooLong, maxErrorsShown)
	}
	return nil
}
