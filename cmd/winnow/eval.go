package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/winnow-video/winnow/workflows/grade"
	"github.com/winnow-video/winnow/workflows/job"
)

const evalLong = `Grade a job's answers, or those in files of records (results.jsonl, errors.jsonl).

Every variant gets its share of right answers with a 95 % interval, clustered by
video. Answers that name no option count as wrong; "parsed" is the share without
them. With --against, every variant is also compared with that one on the same
questions: an interval that holds 0 tells no difference.

--calibrate fits one temperature a variant to the log-probabilities of its options,
and prints the expected calibration error before and after, measured on videos
that the temperature was not fitted on.`

// evaluation is the command's flags.
type evaluation struct {
	against   string
	by        string
	calibrate bool
	asJSON    bool
}

func (a *app) evalCommand() *cobra.Command {
	var e evaluation
	c := &cobra.Command{
		Use: "eval JOB | FILE.jsonl…", Short: "Grade answers: accuracy, differences, calibration", Long: evalLong,
		Example: "  winnow eval demo-1a2b3c4d.1 --against none --by kind\n  winnow eval results.jsonl --calibrate",
	}
	c.Flags().StringVar(&e.against, "against", "", "variant that others are compared with")
	c.Flags().StringVar(&e.by, "by", "", "key of the items' metadata: a line for every value of it")
	c.Flags().BoolVar(&e.calibrate, "calibrate", false, "fit a temperature to the confidences")
	c.Flags().BoolVar(&e.asJSON, "json", false, "print JSON")
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			return usagef("missing JOB or FILE.jsonl; see `%s -h`", c.CommandPath())
		}
		if !strings.HasSuffix(args[0], ".jsonl") {
			if err := exactArgs("JOB")(c, args); err != nil {
				return err
			}
			return a.withJob(func(ctx context.Context, s *session, id job.ID) error {
				return a.grade(s.jobs.Results(ctx, id), e)
			})(c, args)
		}
		return a.grade(recordsOf(args), e)
	}
	return c
}

// recordsOf reads the records of files, one a line.
func recordsOf(paths []string) iter.Seq2[job.Record, error] {
	return func(yield func(job.Record, error) bool) {
		for _, path := range paths {
			if !eachRecord(path, yield) {
				return
			}
		}
	}
}

// eachRecord yields the records of a file, and an error that ends it; false when no more are wanted.
func eachRecord(path string, yield func(job.Record, error) bool) bool {
	file, err := os.Open(path)
	if err != nil {
		yield(job.Record{}, err)
		return false
	}
	defer file.Close()
	lines := json.NewDecoder(bufio.NewReader(file))
	for n := 1; ; n++ {
		var r job.Record
		err := lines.Decode(&r)
		if errors.Is(err, io.EOF) {
			return true
		}
		if err == nil && r.V != job.Version {
			err = fmt.Errorf("v is %d, and this build reads %d", r.V, job.Version)
		}
		if err != nil {
			yield(r, fmt.Errorf("%s: record %d: %w", path, n, err))
			return false
		}
		if !yield(r, nil) {
			return false
		}
	}
}

// graded is what `winnow eval --json` prints.
type graded struct {
	Scores       []grade.Score       `json:"scores"`
	Calibrations []grade.Calibration `json:"calibrations,omitempty"`
}

func (a *app) grade(records iter.Seq2[job.Record, error], e evaluation) error {
	sheet := grade.Sheet{By: e.by}
	for r, err := range records {
		if err != nil {
			return err
		}
		sheet.Add(r)
	}
	variants := sheet.Variants()
	if e.against != "" && !slices.Contains(variants, e.against) {
		return usagef("--against %s: the records are of %s", e.against, strings.Join(variants, ", "))
	}
	g := graded{Scores: sheet.Report(e.against)}
	if e.by != "" && !slices.ContainsFunc(g.Scores, func(s grade.Score) bool { return s.Group != "" }) {
		return usagef("--by %s: no record's metadata has that key", e.by)
	}
	if e.calibrate {
		for _, v := range variants {
			c, err := sheet.Calibrate(v)
			if err != nil {
				return err
			}
			g.Calibrations = append(g.Calibrations, c)
		}
	}
	if e.asJSON {
		return json.NewEncoder(a.out).Encode(g)
	}
	a.printScores(g.Scores, e)
	a.printCalibrations(g.Calibrations)
	return nil
}

// printScores prints a line a score, and only columns that have something to tell.
func (a *app) printScores(scores []grade.Score, e evaluation) {
	headers := []any{"variant"}
	if e.by != "" {
		headers = append(headers, e.by)
	}
	headers = append(headers, "right", "of", "accuracy, %", "95 %", "parsed, %", "ungraded", "failed")
	if e.against != "" {
		headers = append(headers, "less "+e.against, "95 %")
	}
	t := a.table(headers...)
	for _, s := range scores {
		row := []any{s.Variant}
		if e.by != "" {
			row = append(row, s.Group)
		}
		row = append(row, s.Right, s.Graded)
		row = append(append(row, percents(s.Accuracy, "%.1f")...), parsed(s), s.Ungraded, s.Failed)
		if e.against != "" {
			row = append(row, percents(s.Difference, "%+.1f")...)
		}
		t.AppendRow(row)
	}
	t.Render()
}

// percents is a share and its interval in per cent; blank where there is none.
func percents(s *grade.Share, format string) []any {
	if s == nil {
		return []any{"", ""}
	}
	return []any{fmt.Sprintf(format, 100*s.Value), fmt.Sprintf(format+" … "+format, 100*s.Low, 100*s.High)}
}

// parsed is the accuracy without answers that name no option, and how many those are.
func parsed(s grade.Score) string {
	switch {
	case s.Unparsed == 0:
		return ""
	case s.Parsed == nil:
		return fmt.Sprintf("none of %d", s.Graded)
	}
	return fmt.Sprintf("%.1f (%d are not)", 100**s.Parsed, s.Unparsed)
}

func (a *app) printCalibrations(all []grade.Calibration) {
	if len(all) == 0 {
		return
	}
	fmt.Fprintln(a.out)
	t := a.table("variant", "answers", "calibration error, %", "after", "temperature")
	for _, c := range all {
		t.AppendRow([]any{c.Variant, c.Answers, fmt.Sprintf("%.1f", 100*c.Before), fmt.Sprintf("%.1f", 100*c.After), fmt.Sprintf("%.2f", c.Temperature)})
	}
	t.Render()
}
