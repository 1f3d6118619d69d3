package control_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/winnow-video/winnow/workflows"
	"github.com/winnow-video/winnow/workflows/control"
	"github.com/winnow-video/winnow/workflows/job"
	"github.com/winnow-video/winnow/workflows/stack/stacktest"
)

// Temporal finds a job by its id and its team, where the namespace knows of them. In
// one that does not, it runs all the same.
func TestSearchAttributes(t *testing.T) {
	t.Parallel()
	services := stacktest.StartIn(t, t.TempDir()).Services
	s := submission(t, "found", 1)
	s.Spec.Team = "vision"
	known := connect(t, services)
	id := known.submit(t, s, control.Started)
	want := map[string]string{workflows.JobAttribute.GetName(): id.String(), workflows.TeamAttribute.GetName(): "vision"}
	if diff := cmp.Diff(want, known.attributes(t, id)); diff != "" {
		t.Errorf("search attributes (-want +got):\n%s", diff)
	}
	services.Temporal.Namespace = stacktest.Namespace(t, services.Temporal)
	bare := connect(t, services)
	s.Spec.Name = "unfound"
	id = bare.submit(t, s, control.Started)
	if found := bare.attributes(t, id); len(found) > 0 {
		t.Errorf("search attributes %v in a namespace without any", found)
	}
}

// attributes are a job's keyword attributes of ours.
func (r *rig) attributes(t *testing.T, id job.ID) map[string]string {
	t.Helper()
	described, err := r.temporal.DescribeWorkflow(t.Context(), workflows.JobWorkflowID(id.String()), "")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for key, value := range described.TypedSearchAttributes.GetUntypedValues() {
		if text, ok := value.(string); ok {
			found[key.GetName()] = text
		}
	}
	return found
}
