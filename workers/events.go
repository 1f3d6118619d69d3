package workers

import (
	"time"

	"github.com/winnow-video/winnow/workflows"
	"github.com/winnow-video/winnow/workflows/job"
)

// tellStage publishes that n units of a video left a stage.
func (s *stages) tellStage(in workflows.VideoInput, stage job.Stage, n, failed, cached int) {
	line := 0
	if len(in.Asks) > 0 {
		line = in.Asks[0].Line
	}
	s.cfg.Bus.Tell(job.Event{
		V: job.Version, Job: in.Job, Kind: job.EventStage, Time: time.Now().UTC(),
		Generation: in.Generation, Page: in.Page, Video: in.Video, Line: line,
		Stage: stage, Done: n, Failed: failed, Cached: cached,
	})
}

// failed publishes that a whole video ended at a stage, unless err will be
// tried again or is no failure of the video.
func (s *stages) failed(in workflows.VideoInput, stage job.Stage, err error) {
	if f := job.AsFailure(stage, err); !f.Retryable {
		s.tellStage(in, stage, 1, 1, 0)
	}
}

// tellItems publishes that a video's items left a stage.
func (s *stages) tellItems(in workflows.VideoInput, stage job.Stage, n int, out workflows.Items) {
	s.tellStage(in, stage, n, len(out.Failed), len(out.Cached))
}
