package workers

import (
	"context"

	"github.com/winnow-video/winnow/workflows"
	"github.com/winnow-video/winnow/workflows/extent"
)

// extend finds the lines that were added to a job since it last looked.
func (s *stages) extend(ctx context.Context, in workflows.ExtendInput) (extent.Extent, error) {
	if in.Close {
		return extent.Close(ctx, s.cfg.Store, in.Job, in.Known)
	}
	return extent.Settle(ctx, s.cfg.Store, in.Job, in.Known)
}
