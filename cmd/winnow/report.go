package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode"

	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/winnow-video/winnow/workflows"
	"github.com/winnow-video/winnow/workflows/artifact"
	"github.com/winnow-video/winnow/workflows/control"
	"github.com/winnow-video/winnow/workflows/job"
)

// maxRowsShown bounds the table of answers.
const maxRowsShown = 200

// report prints what a job answered and took; its error carries the exit code.
func (a *app) report(ctx context.Context, s *session, done control.Job, asJSON bool) error {
	var err error
	if asJSON {
		err = a.printRecords(ctx, s, done.ID, nil)
	} else {
		err = a.printAnswers(ctx, s, done.ID)
	}
	if err != nil {
		return err
	}
	if done.Status.Halted() {
		return halted(done)
	}
	if done.Summary == nil {
		return fmt.Errorf("job %s is %s, but has no summary.json: `winnow resume %s` writes it", done.ID, done.Status.State, done.ID)
	}
	if asJSON {
		return jobExit(done)
	}
	a.printSummary(s, done)
	return errors.Join(a.printFailures(ctx, s, done), jobExit(done))
}

// halted is the error of a job that its budget has paused.
func halted(done control.Job) error {
	return &control.SpentError{Job: done.ID, Reason: done.Status.Reason}
}

// printFailures prints how many items failed with each code, and what one of them said.
func (a *app) printFailures(ctx context.Context, s *session, done control.Job) error {
	left := maps.Clone(done.Summary.Stages.Codes)
	for r, err := range s.jobs.Results(ctx, done.ID) {
		if err != nil || len(left) == 0 {
			return err
		}
		if r.Failure == nil || left[r.Failure.Code] == 0 {
			continue
		}
		fmt.Fprintf(a.out, "failed: %d × %s, like %s: %s\n", left[r.Failure.Code], r.Failure.Code, r.ID, r.Failure.Detail)
		delete(left, r.Failure.Code)
	}
	return nil
}

// jobExit maps a job's end to the exit code.
func jobExit(done control.Job) error {
	tally := done.Summary.Stages
	switch {
	case done.Status.State == job.StateCanceled || tally.Codes[job.BudgetSpent] > 0:
		return &exitError{code: exitCanceled}
	case tally.Failed > 0:
		return &exitError{code: exitItems}
	}
	return nil
}

// printRecords prints the records that keep wants (all, if nil) as JSON lines.
func (a *app) printRecords(ctx context.Context, s *session, id job.ID, keep func(job.Record) bool) error {
	enc := json.NewEncoder(a.out)
	enc.SetEscapeHTML(false)
	for r, err := range s.jobs.Results(ctx, id) {
		if err != nil {
			return err
		}
		if keep != nil && !keep(r) {
			continue
		}
		if err := enc.Encode(r); err != nil {
			return err
		}
	}
	return nil
}

// printAnswers prints the table of questions and answers, its first rows at least.
func (a *app) printAnswers(ctx context.Context, s *session, id job.ID) error {
	items, err := s.jobs.Items(ctx, id, maxRowsShown)
	if err != nil {
		return err
	}
	t := a.table("id", "variant", "question", "answer", "", "kept", "confidence")
	n := 0
	for r, err := range s.jobs.Results(ctx, id) {
		if err != nil {
			return err
		}
		if n++; n > maxRowsShown {
			break
		}
		t.AppendRow(a.answerRow(r, items[r.ID]))
	}
	t.Render()
	if n > maxRowsShown {
		fmt.Fprintf(a.out, "… and more: `winnow results %s`\n", id)
	}
	return nil
}

func (a *app) answerRow(r job.Record, item job.Item) []any {
	question := text.Snip(item.Question, 52, "…")
	if r.Result == nil {
		return []any{r.ID, r.Variant, question, text.Snip(r.Failure.Detail, 60, "…"), r.Failure.Code, "", ""}
	}
	confidence := ""
	if r.Confidence != nil {
		confidence = fmt.Sprintf("%.2f", *r.Confidence)
	}
	return []any{
		r.ID, r.Variant, question, text.Snip(answerText(r.Answer, item), 32, "…"), a.verdict(r.Correct),
		fmt.Sprintf("%d of %d", r.Tokens.VisualKept, r.Tokens.VisualTotal), confidence,
	}
}

// answerText is the option that was chosen, or what was said; never a control character.
func answerText(answer job.Answer, item job.Item) string {
	said := answer.Text
	if i := answer.OptionIndex; i != nil && *i < len(item.Options) {
		said = job.Letter(*i) + ". " + item.Options[*i]
	}
	return strings.Join(strings.FieldsFunc(said, func(r rune) bool { return !unicode.IsPrint(r) }), " ")
}

// verdict is right, wrong, or nothing where nobody knows.
func (a *app) verdict(correct *bool) string {
	switch {
	case correct == nil:
		return ""
	case *correct:
		return a.colour("right", text.FgGreen)
	}
	return a.colour("wrong", text.FgRed)
}

func (a *app) colour(s string, c text.Color) string {
	if !isTerminal(a.out) {
		return s
	}
	return c.Sprint(s)
}

// printSummary prints accuracy, cost and where the files lie.
func (a *app) printSummary(s *session, done control.Job) {
	sum := done.Summary
	fmt.Fprintln(a.out)
	for _, v := range sum.Variants {
		a.printVariant(v, len(sum.Variants) > 1)
	}
	a.printStages(sum, done.Spec.Budget)
	fmt.Fprintf(a.out, "results: %s; print them with `winnow results %s`\n", a.resultsPlace(s, done.Name), done.Name)
}

// resultsPlace is where the result files lie: as plain files where the store is
// the embedded one, which keeps objects as files, else in S3.
func (a *app) resultsPlace(s *session, name string) string {
	folder := string(artifact.JobFolder(name))
	local := filepath.Join(a.state, "s3", s.Services.S3.Bucket, folder)
	if here, err := os.Getwd(); err == nil {
		if rel, err := filepath.Rel(here, local); err == nil && !strings.HasPrefix(rel, "..") {
			local = rel
		}
	}
	if _, err := os.Stat(local); err == nil {
		return filepath.Join(local, "{results,errors}.jsonl")
	}
	return "s3://" + s.Services.S3.Bucket + "/" + folder + "{results,errors}.jsonl"
}

func (a *app) printVariant(v workflows.Variant, named bool) {
	prefix := ""
	if named {
		prefix = v.Variant + ": "
	}
	if v.Accuracy != nil {
		fmt.Fprintf(a.out, "%saccuracy: %.1f %% (%d of %d)\n", prefix, 100**v.Accuracy, v.Correct, v.Graded)
	}
	if v.OK == 0 || v.FLOPs.Full == 0 { // frames shown as images: only the server knows
		return
	}
	fmt.Fprintf(a.out, "%stokens: %d kept of %d (%.1f %%)\n", prefix, v.Tokens.VisualKept, v.Tokens.VisualTotal,
		100*float64(v.Tokens.VisualKept)/float64(max(1, v.Tokens.VisualTotal)))
	fmt.Fprintf(a.out, "%sFLOPs (%s): %sFLOP spent of %sFLOP unpruned, %.1f× fewer\n", prefix, v.FLOPs.Convention,
		si(v.FLOPs.Spent), si(v.FLOPs.Full), v.FLOPs.Full/max(1, v.FLOPs.Spent))
}

// printStages prints what the stages took, and what needed no work.
func (a *app) printStages(sum *workflows.Summary, budget job.Budget) {
	t := sum.Stages.Timing
	videos := max(1, sum.Stages.Videos)
	parts := []string{}
	for _, stage := range []struct {
		name string
		ms   int64
	}{{"fetch", t.Fetch}, {"decode", t.Decode}, {"encode", t.Encode}, {"prune", t.Prune}, {"answer", t.Answer}} {
		parts = append(parts, fmt.Sprintf("%s %.2f s", stage.name, float64(stage.ms)/1000/float64(videos)))
	}
	fmt.Fprintf(a.out, "wall time: %s; a video took, waiting in queues included: %s\n", span(sum), strings.Join(parts, ", "))
	if sum.Stages.DeviceUS > 0 {
		fmt.Fprintln(a.out, "devices:", deviceText(sum.Stages.DeviceUS, budget))
	}
	c := sum.Stages.Cached
	if c.Clips+c.Tokens+c.Answers > 0 {
		fmt.Fprintf(a.out, "answered from cached artifacts: tokens of %d of %d videos, %d of %d answers\n",
			c.Tokens, sum.Stages.Videos, c.Answers, sum.Stages.Ended())
	}
}

// span is how long the newest generation took.
func span(sum *workflows.Summary) string {
	began, err1 := time.Parse(time.RFC3339, sum.Began)
	ended, err2 := time.Parse(time.RFC3339, sum.Ended)
	if err1 != nil || err2 != nil {
		return "?"
	}
	return ended.Sub(began).Round(time.Second / 10).String()
}
