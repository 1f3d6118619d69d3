package workers

import (
	"context"
	"slices"

	"github.com/winnow-video/winnow/workflows"
	"github.com/winnow-video/winnow/workflows/artifact"
	"github.com/winnow-video/winnow/workflows/job"
)

// A Video has at most so many questions, and so many items: its failures and
// their details have to fit into one payload.
const (
	maxQuestions  = 64
	maxVideoItems = 256
)

// plan groups the open items of a page into videos: items of the same source
// and span, wherever they stand in the page. One that has closed, before Temporal
// lost the job, has none.
func (s *stages) plan(ctx context.Context, in workflows.PageInput) (workflows.PagePlan, error) {
	closed, err := s.has(ctx, artifact.PageRecords(in.Job, in.Generation, in.Page))
	if closed || err != nil {
		return workflows.PagePlan{}, err
	}
	page, err := s.pageOf(ctx, in)
	if err != nil {
		return workflows.PagePlan{}, err
	}
	return workflows.PagePlan{Videos: page.videos}, nil
}

// page is a page's lines and which of their items are open.
type page struct {
	spec   job.Spec
	lines  []job.Item
	open   []workflows.Ask
	videos [][]workflows.Ask
}

// pageOf is the same whenever it is asked within one generation: it looks at
// earlier ones only.
func (s *stages) pageOf(ctx context.Context, in workflows.PageInput) (*page, error) {
	p := &page{}
	var err error
	if p.spec, err = s.files.spec(ctx, in.Job); err != nil {
		return nil, err
	}
	if p.lines, err = s.files.page(ctx, artifact.Page(in.Job, in.Page)); err != nil {
		return nil, err
	}
	if err := s.findOpen(ctx, p, in); err != nil {
		return nil, err
	}
	p.videos = groupByVideo(p.lines, p.open, len(p.spec.Prune))
	return p, nil
}

// findOpen is every item in the first generation, afterwards those that failed
// in a way that is to be tried again.
func (s *stages) findOpen(ctx context.Context, p *page, in workflows.PageInput) error {
	if in.Generation == 0 {
		for line := range p.lines {
			p.open = append(p.open, workflows.Ask{Line: line})
		}
		return nil
	}
	earlier, err := s.newest(ctx, p, in.Job, in.Page, in.Generation-1)
	if err != nil {
		return err
	}
	for line := range p.lines {
		ask := workflows.Ask{Line: line}
		for variant := range p.spec.Prune {
			r, recorded := earlier[workflows.Item{Line: line, Variant: variant}]
			if !recorded || r.Failure != nil && slices.Contains(in.Retry, r.Failure.Kind) {
				ask.Variants = append(ask.Variants, variant)
			}
		}
		if len(ask.Variants) > 0 {
			p.open = append(p.open, ask)
		}
	}
	return nil
}

// span is what one clip is made of.
type span struct {
	video      string
	start, end float64
	hasStart   bool
	hasEnd     bool
}

func spanOf(item job.Item) span {
	s := span{video: item.Video, hasStart: item.Start != nil, hasEnd: item.End != nil}
	if s.hasStart {
		s.start = *item.Start
	}
	if s.hasEnd {
		s.end = *item.End
	}
	return s
}

// groupByVideo keeps the order in which spans first appear, and splits what is
// too much for one Video.
func groupByVideo(lines []job.Item, open []workflows.Ask, variants int) [][]workflows.Ask {
	most := max(1, min(maxQuestions, maxVideoItems/max(1, variants)))
	var videos [][]workflows.Ask
	at := map[span]int{}
	for _, ask := range open {
		key := spanOf(lines[ask.Line])
		i, known := at[key]
		if !known || len(videos[i]) == most {
			i = len(videos)
			videos, at[key] = append(videos, nil), i
		}
		videos[i] = append(videos[i], ask)
	}
	return videos
}
