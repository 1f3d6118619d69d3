package control

import (
	"context"
	"errors"
	"fmt"

	"github.com/winnow-video/winnow/workflows"
	"github.com/winnow-video/winnow/workflows/extent"
	"github.com/winnow-video/winnow/workflows/job"
)

// Add appends lines to the manifest of an unfinished job, as pages of their own. They
// belong to it once added is told, whatever dies then; the same lines once more are
// found, and the job is told again. Errors: extent.Duplicates.
func (j *Jobs) Add(ctx context.Context, id job.ID, a extent.Addition) (added bool, err error) {
	s, err := j.stamp(ctx, id)
	if err != nil {
		return false, err
	}
	st, err := j.status(ctx, id)
	if err == nil && over(st) {
		err = fmt.Errorf("job %s is %s already: %s", id, st.State, instead)
	}
	if err != nil {
		return false, err
	}
	_, added, err = extent.Append(ctx, j.store, id.String(), s.extent(), a)
	if errors.Is(err, extent.ErrClosed) {
		return false, fmt.Errorf("job %s: %w: %s", id, err, instead)
	}
	if err != nil {
		return false, err
	}
	if err := j.begun(ctx, id); err != nil {
		return added, err
	}
	return added, j.signal(ctx, id, workflows.SignalAdded, nil)
}

// instead is what to do with lines that come too late.
const instead = "submit the lines as a job of their own; it finds what was stored of the same videos"
