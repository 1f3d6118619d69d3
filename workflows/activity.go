package workflows

import (
	"context"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/winnow-video/winnow/workflows/extent"
	"github.com/winnow-video/winnow/workflows/job"
)

// Activity is an activity's name, with the types of what goes in and what comes out.
type Activity[In, Out any] string

// The activities, in the order a job meets them. Every one may be repeated, and
// finds what an earlier attempt has stored.
const (
	Tell     Activity[Status, struct{}]           = "Tell"     // stores state.json and publishes the state
	Extend   Activity[ExtendInput, extent.Extent] = "Extend"   // finds lines that were added to the job
	Plan     Activity[PageInput, PagePlan]        = "Plan"     // groups a page's open items into videos
	Locate   Activity[VideoInput, Located]        = "Locate"   // finds the source's identity and what is made of it
	Decode   Activity[StageInput, Decoded]        = "Decode"   // source → clip
	Encode   Activity[StageInput, Spent]          = "Encode"   // clip → tokens
	Prune    Activity[StageInput, Items]          = "Prune"    // tokens → kept tokens, every question and variant
	Answer   Activity[StageInput, Items]          = "Answer"   // kept tokens → replies, at most 16 questions
	Record   Activity[RecordInput, Tally]         = "Record"   // replies and failures → the video's draft
	Close    Activity[CloseInput, Tally]          = "Close"    // drafts → the page's records, once
	Finalise Activity[FinaliseInput, JobResult]   = "Finalise" // page records → result files and summary
)

// ExtendInput is a job that may have been added to.
type ExtendInput struct {
	Run
	Known extent.Extent `json:"known"`
	Close bool          `json:"close,omitempty"` // let nothing be added any more
}

// PagePlan is a page's open items by video.
type PagePlan struct {
	Videos [][]Ask `json:"videos"`
}

// Located is what Locate found.
type Located struct {
	Keys
	HaveClip   bool   `json:"have_clip"`
	HaveTokens bool   `json:"have_tokens"`
	Answered   []Item `json:"answered,omitempty"` // every item, where an earlier run has answered them all
	// Failed is every item or none: none of their prompts can fit, and nothing is to be made for them.
	Failed []ItemFailure `json:"failed,omitempty"`
	Spent  Spent         `json:"spent"`
}

// StageInput is a video, or some of its questions, and the artifacts they share.
type StageInput struct {
	VideoInput
	Keys
	Except []Item `json:"except,omitempty"` // items that have failed already
}

// Spent is what one activity took.
type Spent struct {
	QueueMS      int64 `json:"queue_ms"` // until a worker took it
	WorkMS       int64 `json:"work_ms"`
	BytesFetched int64 `json:"bytes_fetched,omitempty"`
	DeviceUS     int64 `json:"device_us,omitempty"` // of winnow-infer's device
	Attempt      int   `json:"attempt"`
}

// Decoded is what became of a clip, and of its items where none can be asked.
type Decoded struct {
	Spent
	Failed []ItemFailure `json:"failed,omitempty"` // all or none
}

// Item names one variant of one line of a page.
type Item struct {
	Line    int `json:"l"` // 0-based
	Variant int `json:"v"` // index into Spec.Prune
}

// Items is what became of a stage's items.
type Items struct {
	Failed []ItemFailure `json:"failed,omitempty"`
	Cached []Item        `json:"cached,omitempty"` // an earlier run had made theirs
	Spent  Spent         `json:"spent"`
}

// ItemFailure is the typed end of one item.
type ItemFailure struct {
	Item
	Failure job.Failure `json:"failure"`
}

// RecordInput is all that is known of a video's items.
type RecordInput struct {
	StageInput
	Failure *job.Failure  `json:"failure,omitempty"` // of every item without an answer
	Failed  []ItemFailure `json:"failed,omitempty"`
	Cached  []Item        `json:"cached,omitempty"` // items answered by an earlier run
	Outcome job.Run       `json:"outcome"`          // the volatile part of the records
}

// CloseInput is a page whose videos are closed.
type CloseInput struct {
	PageInput
	Open job.Code `json:"open"` // the end of items without a draft
}

// FinaliseInput is a job whose pages are closed.
type FinaliseInput struct {
	JobInput
	State job.State `json:"state"`
	Open  job.Code  `json:"open"` // the end of items of pages that never opened
}

// Register binds the activity's name to f.
func (a Activity[In, Out]) Register(r worker.ActivityRegistry, f func(context.Context, In) (Out, error)) {
	r.RegisterActivityWithOptions(f, activity.RegisterOptions{Name: string(a)})
}

func (a Activity[In, Out]) on(ctx workflow.Context, queue string, in In) (Out, error) {
	var out Out
	err := workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, onQueue(queue)), string(a), in).Get(ctx, &out)
	return out, err
}

// untilDone runs until it is done, or there is a definite reason why it cannot be.
func (a Activity[In, Out]) untilDone(ctx workflow.Context, in In) (Out, error) {
	var out Out
	err := workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, untilDone(QueueMain)), string(a), in).Get(ctx, &out)
	return out, err
}

// atHand runs as here does, once and for a moment at the most. What that does not
// settle becomes an activity on queue.
func (a Activity[In, Out]) atHand(ctx workflow.Context, queue string, in In) (Out, error) {
	var out Out
	err := workflow.ExecuteLocalActivity(workflow.WithLocalActivityOptions(ctx, moment()), string(a), in).Get(ctx, &out)
	if err == nil || ctx.Err() != nil || isDefinite(err) {
		return out, err
	}
	return a.on(ctx, queue, in)
}

// here runs in the process that runs the workflow: for glue of milliseconds.
func (a Activity[In, Out]) here(ctx workflow.Context, in In) (Out, error) {
	var out Out
	err := workflow.ExecuteLocalActivity(workflow.WithLocalActivityOptions(ctx, inProcess()), string(a), in).Get(ctx, &out)
	return out, err
}
