package workflows

import (
	"go.temporal.io/sdk/workflow"
)

// Page runs the videos of one page and then writes its records, once.
func Page(ctx workflow.Context, in PageInput) (Tally, error) {
	in.known(ctx)
	p := &page{in: in, window: &window{width: in.Videos}}
	p.window.halted = p.overspent
	p.window.listen(ctx, p.steered)
	p.account(ctx)
	plan, err := Plan.here(ctx, in)
	if err != nil {
		return Tally{}, err
	}
	p.window.run(ctx, 0, upTo(len(plan.Videos)), func(ctx workflow.Context, i int) {
		p.video(ctx, VideoInput{Run: in.Run, Page: in.Page, Video: i, Asks: plan.Videos[i], AtHand: true})
	})
	return p.close(ctx)
}

type page struct {
	in       PageInput
	window   *window
	tally    Tally // of the videos that closed
	reported Report
}

func (p *page) steered(_ workflow.Context, s Steer) {
	if s.Budget != nil {
		p.in.Budget = *s.Budget
	}
}

func (p *page) overspent() bool {
	return overspent(p.in.FailureShare, p.in.Before.Plus(p.tally))
}

// video counts what a Video reports. One that ended without a report has no
// draft either: closing the page accounts for its items.
func (p *page) video(ctx workflow.Context, in VideoInput) {
	var tally Tally
	ctx = workflow.WithChildOptions(ctx, child(in.id()))
	if workflow.ExecuteChildWorkflow(ctx, VideoType, in).Get(ctx, &tally) == nil {
		p.tally = p.tally.Plus(tally)
		p.weigh()
	}
}

// close takes the counts from the records written, the rest from the videos.
func (p *page) close(ctx workflow.Context) (Tally, error) {
	settled, _ := workflow.NewDisconnectedContext(ctx)
	written, err := Close.untilDone(settled, CloseInput{PageInput: p.in, Open: p.window.openCode(ctx, p.overspent())})
	if ctx.Err() != nil {
		return Tally{}, ctx.Err()
	}
	return p.tally.withCounts(written.OK, written.Failed, written.Codes), err
}
