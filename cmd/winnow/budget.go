package main

import (
	"fmt"
	"time"

	"github.com/spf13/pflag"

	"github.com/winnow-video/winnow/workflows/control"
	"github.com/winnow-video/winnow/workflows/job"
)

const budgetHelp = `A budget pauses the job: once a bound is reached no new video starts, those that run end, what
has ended can be read, and the exit code is 4. Device time is what winnow-infer ran for the job, of
all its generations; it is told as requests end, so that what runs when the bound is reached comes
on top, and what was in flight when a worker died is not counted. ` + "`winnow resume JOB`" + ` with a larger
bound goes on, as does the same command with one; ` + "`winnow cancel JOB`" + ` ends the job, and what was not
begun gets a record of kind budget.`

func bindBudget(set *pflag.FlagSet, b *job.Budget) {
	set.Float64Var(&b.GPUSeconds, "budget-gpu-seconds", b.GPUSeconds, "pause once winnow-infer's devices ran so long for the job, CPUs included")
	set.Float64Var(&b.Money, "budget-money", b.Money, "pause once their time is worth so much; wants a price")
	set.Float64Var(&b.PricePerGPUHour, "budget-price-per-gpu-hour", b.PricePerGPUHour, "what an hour of a device costs, in the currency of --budget-money")
	set.Float64Var(&b.FailureShare, "budget-failure-share", b.FailureShare, "pause once more than this share of the records failed (0 to 1), of 20 at least")
}

// budgetChange is what the flags given change of a budget; nil where none was.
func budgetChange(given *pflag.FlagSet) func(*job.Budget) error {
	known := pflag.NewFlagSet("", pflag.ContinueOnError)
	bindBudget(known, &job.Budget{})
	changes := map[string]string{}
	given.Visit(func(f *pflag.Flag) {
		if known.Lookup(f.Name) != nil {
			changes[f.Name] = f.Value.String()
		}
	})
	if len(changes) == 0 {
		return nil
	}
	return func(b *job.Budget) error {
		target := pflag.NewFlagSet("", pflag.ContinueOnError)
		bindBudget(target, b)
		for name, value := range changes {
			if err := target.Set(name, value); err != nil {
				return err
			}
		}
		return nil
	}
}

// spentText says how a job that its budget has paused goes on.
func spentText(e *control.SpentError) string {
	return fmt.Sprintf("%v; go on with `winnow resume %s` and a larger one (--budget-…), or end it with `winnow cancel %s`", e, e.Job, e.Job)
}

// deviceText is what devices ran for a job, and what that costs where a price is known.
func deviceText(us int64, b job.Budget) string {
	device := time.Duration(us) * time.Microsecond
	text := fmt.Sprintf("%.4g GPU seconds", device.Seconds())
	if b.PricePerGPUHour > 0 {
		text += fmt.Sprintf(", worth %.4g", b.Cost(device))
	}
	return text
}
