package workflows

import (
	"go.temporal.io/sdk/workflow"

	"github.com/winnow-video/winnow/workflows/extent"
)

// expect has the job look for added lines whenever it is told of some.
func (j *running) expect(ctx workflow.Context) {
	j.added = workflow.GetSignalChannel(ctx, SignalAdded)
	workflow.Go(ctx, func(ctx workflow.Context) {
		for {
			j.added.Receive(ctx, nil)
			j.extend(ctx, false)
			j.tell(ctx)
		}
	})
}

// extend takes in what was added. What cannot be read is looked for again at the job's end.
func (j *running) extend(ctx workflow.Context, end bool) {
	j.extending++
	defer func() { j.extending-- }()
	known := extent.Extent{Pages: j.in.Pages, Items: j.in.Items, Parts: j.in.Parts}
	e, err := Extend.here(ctx, ExtendInput{Run: j.in.Run, Known: known, Close: end})
	if err == nil && e.Parts > j.in.Parts {
		j.in.Pages, j.in.Items, j.in.Parts = e.Pages, e.Items, e.Parts
	}
}

// grown closes the manifest, once its pages are, and says whether it has grown till
// then. A retry finds it closed.
func (j *running) grown(ctx workflow.Context) bool {
	if j.in.Generation > 0 || workflow.GetVersion(ctx, "close-manifest", workflow.DefaultVersion, 1) == workflow.DefaultVersion {
		return false
	}
	settled, _ := workflow.NewDisconnectedContext(ctx)
	pages := j.in.Pages
	j.extend(settled, true)
	return j.in.Pages > pages && ctx.Err() == nil
}
