package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/winnow-video/winnow/workflows"
	"github.com/winnow-video/winnow/workflows/artifact"
	"github.com/winnow-video/winnow/workflows/extent"
	"github.com/winnow-video/winnow/workflows/job"
)

// stamp is submission.json: what starting a job takes beside its job.yaml.
type stamp struct {
	V      int    `json:"v"`
	Bundle string `json:"bundle"` // full digest
	Pages  int    `json:"pages"`
	Items  int    `json:"items"`
}

// extent is how far the manifest goes that was submitted.
func (s stamp) extent() extent.Extent { return extent.Extent{Pages: s.Pages, Items: s.Items} }

func (j *Jobs) storeStamp(ctx context.Context, id job.ID, s stamp) error {
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return j.put(ctx, artifact.JobFile(id.String(), "submission.json"), text, artifact.FirstWins)
}

// start starts the job's workflow from what the store holds. One that runs already goes on.
func (j *Jobs) start(ctx context.Context, id job.ID) error {
	in, spec, err := j.input(ctx, id)
	if err != nil {
		return err
	}
	options := client.StartWorkflowOptions{
		ID:                                       workflows.JobWorkflowID(id.String()),
		TaskQueue:                                workflows.QueueMain,
		WorkflowIDReusePolicy:                    enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		WorkflowIDConflictPolicy:                 enums.WORKFLOW_ID_CONFLICT_POLICY_FAIL,
		WorkflowExecutionErrorWhenAlreadyStarted: true,
		Priority:                                 temporal.Priority{PriorityKey: spec.Priority + 1, FairnessKey: spec.Team},
		TypedSearchAttributes:                    attributes(id, spec),
	}
	_, err = j.temporal.ExecuteWorkflow(ctx, options, workflows.JobType, in)
	if lacksAttributes(err) {
		options.TypedSearchAttributes = temporal.SearchAttributes{}
		_, err = j.temporal.ExecuteWorkflow(ctx, options, workflows.JobType, in)
	}
	var running *serviceerror.WorkflowExecutionAlreadyStarted
	if errors.As(err, &running) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("start job %s: %w", id, err)
	}
	return nil
}

// attributes are what Temporal's console and command find a job by.
func attributes(id job.ID, spec job.Spec) temporal.SearchAttributes {
	found := []temporal.SearchAttributeUpdate{workflows.JobAttribute.ValueSet(id.String())}
	if spec.Team != "" {
		found = append(found, workflows.TeamAttribute.ValueSet(spec.Team))
	}
	return temporal.NewSearchAttributes(found...)
}

// lacksAttributes says whether a job was refused since its namespace has no such
// search attributes. Temporal has no type for that.
func lacksAttributes(err error) bool {
	var invalid *serviceerror.InvalidArgument
	return errors.As(err, &invalid) && strings.Contains(invalid.Message, "search attribute")
}

// input rebuilds the workflow's input from the store alone.
func (j *Jobs) input(ctx context.Context, id job.ID) (workflows.JobInput, job.Spec, error) {
	var in workflows.JobInput
	spec, err := j.spec(ctx, id)
	if err != nil {
		return in, spec, err
	}
	s, err := j.stamp(ctx, id)
	if err != nil {
		return in, spec, err
	}
	st, err := j.status(ctx, id)
	if err != nil {
		return in, spec, err
	}
	e, err := extent.Settle(ctx, j.store, id.String(), s.extent())
	if err != nil {
		return in, spec, err
	}
	kinds, err := j.retried(ctx, id, st.Generation)
	return workflows.JobInput{
		Run:   workflows.Run{V: workflows.Version, Job: id.String(), Generation: st.Generation, Bundle: s.Bundle},
		Pages: e.Pages, Items: e.Items, Parts: e.Parts, Variants: len(spec.Prune),
		Budget: spec.Budget, Retry: kinds, Paused: st.State == job.StatePaused, Reason: st.Reason,
		Window:   workflows.WindowOf(spec.VideosAtOnce, e.Pages),
		Progress: workflows.Progress{DeviceUS: st.DeviceUS},
	}, spec, err
}

func (j *Jobs) stamp(ctx context.Context, id job.ID) (s stamp, err error) {
	found, err := j.readJSON(ctx, id, "submission.json", &s)
	if err == nil && !found {
		err = fmt.Errorf("%s: %w", id, ErrNoJob)
	}
	if err == nil && s.V != workflows.Version {
		err = otherVersion(id, s.V)
	}
	return s, err
}

// spec reads job.yaml; ErrNoJob where there is none.
func (j *Jobs) spec(ctx context.Context, id job.ID) (job.Spec, error) {
	key := artifact.JobFile(id.String(), "job.yaml")
	text, err := j.store.Get(ctx, key)
	if errors.Is(err, artifact.ErrNotFound) {
		return job.Spec{}, fmt.Errorf("%s: %w", id, ErrNoJob)
	}
	if err != nil {
		return job.Spec{}, err
	}
	spec, err := job.ParseSpec(text, string(key))
	return spec.WithDefaults(), err
}

func retryFile(generation int) string { return fmt.Sprintf("retry-%d.json", generation) }

// retried is the kinds that a generation tries again; nil for the first.
func (j *Jobs) retried(ctx context.Context, id job.ID, generation int) (kinds []job.Kind, err error) {
	if generation > 0 {
		_, err = j.readJSON(ctx, id, retryFile(generation), &kinds)
	}
	return kinds, err
}
