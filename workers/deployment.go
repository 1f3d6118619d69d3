package workers

import (
	"errors"
	"fmt"
	"slices"

	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

// Versioning is which release of its workers runs a workflow that began before.
type Versioning string

// The versionings.
const (
	Pinned      Versioning = "pinned"       // the one it began with; a Job of many pages goes over between turns
	AutoUpgrade Versioning = "auto-upgrade" // the current one, from its next step on
)

// Versionings are all there are, the default first.
func Versionings() []Versioning { return []Versioning{Pinned, AutoUpgrade} }

// Deployment is a worker's place in Temporal's worker versioning. The zero value is
// none: any worker runs any workflow.
type Deployment struct {
	Name       string     // of all releases together
	BuildID    string     // of this one
	Versioning Versioning // default pinned
}

// Validate says what is missing or cannot be.
func (d Deployment) Validate() error {
	switch {
	case d.Name == "" && d != (Deployment{}):
		return errors.New("deployment: Name is not set")
	case d.Name != "" && d.BuildID == "":
		return errors.New("deployment: BuildID is not set")
	case d.Versioning != "" && !slices.Contains(Versionings(), d.Versioning):
		return fmt.Errorf("%q: want one of %v", d.Versioning, Versionings())
	}
	return nil
}

func (d Deployment) options() worker.DeploymentOptions {
	if d.Name == "" {
		return worker.DeploymentOptions{}
	}
	behavior := workflow.VersioningBehaviorPinned
	if d.Versioning == AutoUpgrade {
		behavior = workflow.VersioningBehaviorAutoUpgrade
	}
	return worker.DeploymentOptions{
		UseVersioning:             true,
		Version:                   worker.WorkerDeploymentVersion{DeploymentName: d.Name, BuildID: d.BuildID},
		DefaultVersioningBehavior: behavior,
	}
}
