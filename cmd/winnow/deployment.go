package main

import (
	"cmp"
	"fmt"

	"github.com/spf13/pflag"

	"github.com/winnow-video/winnow/workers"
)

const deploymentHelp = `--deployment NAME takes part in Temporal's worker versioning: several releases serve the same
queues, each job is run by one of them, and what begins is run by the release that was made
current (temporal worker deployment set-current-version --deployment-name NAME --build-id ID).
A job ends with the release it began with (--versioning pinned; one of more than 200 pages goes
over between turns), or goes over at once (auto-upgrade). Stop a release's workers once Temporal
calls it drained. Without it any worker runs any job, replaying what an older one began.`

// release is a worker's place among the releases, from flags.
type release struct{ workers.Deployment }

func (r *release) bind(set *pflag.FlagSet) {
	set.StringVar(&r.Name, "deployment", "", "worker deployment that this worker belongs to (default: none, no versioning)")
	set.StringVar(&r.BuildID, "build-id", "", "release of this worker within --deployment (default: the program's version or commit)")
	set.StringVar((*string)(&r.Versioning), "versioning", "", "what becomes of jobs that an older release began: "+listed(workers.Versionings()))
}

// check fills in which release this program is.
func (r *release) check(program versionInfo) error {
	if r.Name == "" {
		if r.Deployment != (workers.Deployment{}) {
			return usagef("--build-id and --versioning want --deployment")
		}
		return nil
	}
	if program.Winnow != unreleased {
		r.BuildID = cmp.Or(r.BuildID, program.Winnow)
	}
	if r.BuildID = cmp.Or(r.BuildID, program.Commit); r.BuildID == "" {
		return usagef("--deployment %s: this program knows neither its version nor its commit: name the release by --build-id", r.Name)
	}
	if err := r.Validate(); err != nil {
		return usageError(fmt.Errorf("--versioning: %w", err))
	}
	return nil
}
