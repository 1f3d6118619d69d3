package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"

	"github.com/winnow-video/winnow/workflows"
	"github.com/winnow-video/winnow/workflows/control"
	"github.com/winnow-video/winnow/workflows/job"
)

func (a *app) lsCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{Use: "ls", Short: "List jobs", Args: exactArgs()}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON lines")
	c.RunE = func(c *cobra.Command, _ []string) error {
		s, err := a.attach(c.Context())
		if err != nil {
			return err
		}
		defer s.close()
		return a.list(c.Context(), s, asJSON)
	}
	return c
}

func (a *app) list(ctx context.Context, s *session, asJSON bool) error {
	t := a.table("job", "state", "ok", "failed", "records", "updated")
	for one, err := range s.jobs.List(ctx) {
		if err != nil {
			return err
		}
		if asJSON {
			if err := json.NewEncoder(a.out).Encode(one); err != nil {
				return err
			}
			continue
		}
		st := one.Status
		t.AppendRow([]any{one.Name, stateText(st), st.Tally.OK, st.Tally.Failed, st.Items * st.Variants, st.Updated})
	}
	if !asJSON {
		t.Render()
	}
	return nil
}

// stateText is a job's state, with what paused it.
func stateText(st workflows.Status) string {
	if st.Halted() {
		return string(st.State) + " by its budget"
	}
	return string(st.State)
}

const showLong = `Show a job: its settings, state and sums, and what is in its way: a workflow that no worker
can run, or one that Temporal has lost.

With --item, print that item's records as JSON lines instead. With --heatmap-out as
well, draw what pruning saw: relevance in colour over the frames that were looked at,
kept cells outlined, pruned ones dark. A merged token is drawn where it stands.`

func (a *app) showCommand() *cobra.Command {
	var asJSON bool
	var f itemFlags
	c := &cobra.Command{
		Use: "show JOB", Short: "Show a job, or one of its items", Long: showLong, Args: exactArgs("JOB"),
		Example: "  winnow show shapes-060f7ee4.1\n  winnow show shapes-060f7ee4.1 --item q2 --variant rediprune-0.15 --heatmap-out q2.png",
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	f.bind(c.Flags())
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := f.check(); err != nil {
			return err
		}
		return a.withJob(func(ctx context.Context, s *session, id job.ID) error {
			if f.item != "" {
				return a.showItem(ctx, s, id, f)
			}
			one, err := s.jobs.Show(ctx, id)
			if err != nil {
				return err
			}
			if asJSON {
				return json.NewEncoder(a.out).Encode(one)
			}
			return a.show(ctx, s, one)
		})(c, args)
	}
	return c
}

func (a *app) show(ctx context.Context, s *session, one control.Job) error {
	spec, err := yaml.Marshal(one.Spec)
	if err != nil {
		return err
	}
	st := one.Status
	fmt.Fprintf(a.out, "%s: %s, generation %d, %d of %d pages closed, %d ok, %d failed of %d records\n",
		one.Name, st.State, st.Generation, st.PagesDone, st.Pages, st.Tally.OK, st.Tally.Failed, st.Items*st.Variants)
	if st.Reason != "" {
		fmt.Fprintln(a.out, st.Reason)
	}
	if one.Summary == nil {
		if hold, err := s.jobs.Hold(ctx, one.ID); err == nil && hold.Reason != "" {
			fmt.Fprintln(a.out, "held up:", hold.Reason)
		}
	}
	if st.DeviceUS > 0 {
		fmt.Fprintln(a.out, "devices:", deviceText(st.DeviceUS, one.Spec.Budget))
	}
	fmt.Fprintf(a.out, "\n%s", spec)
	if one.Summary != nil {
		a.printSummary(s, one)
	}
	return nil
}

func (a *app) watchCommand() *cobra.Command {
	return &cobra.Command{
		Use: "watch JOB", Short: "Follow a job until it is over or its budget has paused it", Args: exactArgs("JOB"),
		RunE: a.withJob(func(ctx context.Context, s *session, id job.ID) error {
			done, err := a.attend(ctx, s, id)
			if err != nil {
				return a.interrupted(ctx, id, err)
			}
			switch {
			case done.Status.Halted():
				return halted(done)
			case done.Summary != nil:
				a.printSummary(s, done)
				return jobExit(done)
			}
			return nil
		}),
	}
}

const resultsLong = `Print a job's records as JSON lines, in manifest order, the newest of every item and
variant. Works while the job runs: pages that have closed are printed; of a paused job also what
open pages have so far.`

func (a *app) resultsCommand() *cobra.Command {
	var status, variant string
	c := &cobra.Command{Use: "results JOB", Short: "Print a job's records as JSON lines", Long: resultsLong, Args: exactArgs("JOB")}
	c.Flags().StringVar(&status, "status", "", "only records of this status: ok, failed")
	c.Flags().StringVar(&variant, "variant", "", "only records of this variant")
	c.RunE = func(c *cobra.Command, args []string) error {
		if status != "" && status != string(job.StatusOK) && status != string(job.StatusFailed) {
			return usagef("--status %q: want ok or failed", status)
		}
		return a.withJob(func(ctx context.Context, s *session, id job.ID) error {
			return a.printRecords(ctx, s, id, func(r job.Record) bool {
				return (status == "" || string(r.Status) == status) && (variant == "" || r.Variant == variant)
			})
		})(c, args)
	}
	return c
}

func (a *app) pauseCommand() *cobra.Command {
	return a.steer("pause", "Let no further video of a job start", (*control.Jobs).Pause, "paused: what is in flight ends, nothing new starts")
}

func (a *app) cancelCommand() *cobra.Command {
	return a.steer("cancel", "Stop a job for good; open items get a canceled record", (*control.Jobs).Cancel, "stops at its next heartbeat; open items get a record of kind canceled")
}

// steer is a command that does one thing to one job.
func (a *app) steer(verb, short string, do func(*control.Jobs, context.Context, job.ID) error, said string) *cobra.Command {
	return &cobra.Command{Use: verb + " JOB", Short: short, Args: exactArgs("JOB"), RunE: a.withJob(a.steered(do, said))}
}

// steered does one thing to a job and says so.
func (a *app) steered(do func(*control.Jobs, context.Context, job.ID) error, said string) func(context.Context, *session, job.ID) error {
	return func(ctx context.Context, s *session, id job.ID) error {
		if err := do(s.jobs, ctx, id); err != nil {
			return err
		}
		a.tell(fmt.Sprintf("job %s %s", id, said))
		return nil
	}
}

const retryLong = `Run the failed items of a finished job again, as its next generation. Of an item's
records the newest counts. Without --kind all failures are tried again.`

func (a *app) retryCommand() *cobra.Command {
	var names []string
	c := &cobra.Command{Use: "retry JOB", Short: "Run the failed items of a job again", Long: retryLong, Args: exactArgs("JOB")}
	c.Flags().StringSliceVar(&names, "kind", nil, "failures to try again: "+kindNames())
	c.RunE = func(c *cobra.Command, args []string) error {
		kinds, err := parseKinds(names)
		if err != nil {
			return err
		}
		return a.withJob(func(ctx context.Context, s *session, id job.ID) error {
			n, err := s.jobs.Retry(ctx, id, kinds)
			if err != nil {
				return err
			}
			if n == 0 {
				a.tell(fmt.Sprintf("job %s has no such failures; nothing to do", id))
				return nil
			}
			a.tell(fmt.Sprintf("job %s: trying %d %s again", id, n, plural(n, "record")))
			done, err := a.attend(ctx, s, id)
			if err != nil {
				return a.interrupted(ctx, id, err)
			}
			return a.report(ctx, s, done, false)
		})(c, args)
	}
	return c
}

func kindNames() string {
	var names []string
	for _, kind := range job.Kinds() {
		names = append(names, string(kind))
	}
	return strings.Join(names, ", ")
}

func parseKinds(names []string) ([]job.Kind, error) {
	var kinds []job.Kind
	for _, name := range names {
		if !slices.Contains(job.Kinds(), job.Kind(name)) {
			return nil, usagef("--kind %q: want %s", name, kindNames())
		}
		kinds = append(kinds, job.Kind(name))
	}
	return kinds, nil
}
