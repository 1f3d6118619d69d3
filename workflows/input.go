package workflows

import (
	"time"

	"github.com/winnow-video/winnow/workflows/artifact"
	"github.com/winnow-video/winnow/workflows/job"
)

// JobInput starts a Job whose job.yaml and pages are stored.
type JobInput struct {
	Run
	Pages        int        `json:"pages"`
	Items        int        `json:"items"`                   // lines of the manifest
	Parts        int        `json:"parts,omitempty"`         // added to what was submitted, and counted above
	Variants     int        `json:"variants"`                // pruning settings
	Budget       job.Budget `json:"budget,omitzero"`         // the job pauses at it
	FailureShare float64    `json:"failure_share,omitempty"` // the job ends above it: of jobs begun before budgets paused jobs; 0: never
	Retry        []job.Kind `json:"retry,omitempty"`         // what a later generation tries again
	Window       Window     `json:"window,omitzero"`
	Paused       bool       `json:"paused,omitempty"`
	Reason       string     `json:"reason,omitempty"`  // of the pause, where it is the budget's
	Progress     Progress   `json:"progress,omitzero"` // what continuing as new carries on
}

// Window bounds what is open at once. Zero fields take their defaults.
type Window struct {
	Pages  int `json:"pages,omitempty"`  // open in a Job; default 2
	Videos int `json:"videos,omitempty"` // open in a Page; default 16
	Turn   int `json:"turn,omitempty"`   // pages after which a Job continues as new; default 200
}

// WindowOf is the Window of about so many videos in a job of so many pages; of no
// videos it is the default.
func WindowOf(videos, pages int) Window {
	if videos <= 0 {
		return Window{}
	}
	const inPage = 250 // of at most 500: while one page ends, another is full
	open := max(1, min(pages, videos, max(2, (videos+inPage-1)/inPage)))
	return Window{Pages: open, Videos: (videos + open - 1) / open}
}

func (w Window) withDefaults() Window {
	if w.Pages <= 0 {
		w.Pages = 2
	}
	if w.Videos <= 0 {
		w.Videos = 16
	}
	if w.Turn <= 0 {
		w.Turn = 200
	}
	return w
}

// Progress is how far a Job has come.
type Progress struct {
	Next  int    `json:"next"`  // pages before it are closed
	Began string `json:"began"` // RFC 3339, UTC
	Tally Tally  `json:"tally"`

	DeviceUS int64 `json:"device_us,omitempty"` // microseconds that devices ran for closed pages, in all generations
}

// PageInput is one page of a job.
type PageInput struct {
	Run
	Page         int        `json:"page"`
	Retry        []job.Kind `json:"retry,omitempty"`
	Budget       job.Budget `json:"budget,omitzero"`
	FailureShare float64    `json:"failure_share,omitempty"` // as in JobInput
	Before       Tally      `json:"before,omitzero"`         // the job's, when the page began
	DeviceUS     int64      `json:"device_us,omitempty"`     // likewise
	Videos       int        `json:"videos"`                  // open at once
}

// Ask is one line of a page and the variants wanted of it.
type Ask struct {
	Line     int   `json:"line"`               // 0-based
	Variants []int `json:"variants,omitempty"` // indices into Spec.Prune; empty: all
}

// VideoInput is one video of a page with its questions, at most 64 of them.
type VideoInput struct {
	Run
	Page  int   `json:"page"`
	Video int   `json:"video"` // number within the page
	Asks  []Ask `json:"asks"`

	AtHand bool `json:"at_hand,omitempty"` // Locate runs at hand first; false in Videos begun by an older release
}

// InputVersion is the version of a Status.
func (s Status) InputVersion() int { return s.V }

// JobResult is how a Job closed.
type JobResult struct {
	V     int       `json:"v"`
	State job.State `json:"state"`
	Tally Tally     `json:"tally"`
}

// Status is where a Job stands: the answer to QueryStatus and the content of state.json.
type Status struct {
	V          int       `json:"v"`
	Job        string    `json:"job"`
	State      job.State `json:"state"`
	Reason     string    `json:"reason,omitempty"` // which bound of the budget is reached
	Generation int       `json:"generation"`
	Pages      int       `json:"pages"`
	PagesDone  int       `json:"pages_done"`
	Items      int       `json:"items"`
	Variants   int       `json:"variants"`
	Tally      Tally     `json:"tally"`               // of this generation
	DeviceUS   int64     `json:"device_us,omitempty"` // microseconds that devices ran, in all generations
	Began      string    `json:"began"`               // RFC 3339, UTC
	Updated    string    `json:"updated"`             // RFC 3339, UTC
}

// Halted says whether the job is paused by its budget.
func (s Status) Halted() bool { return s.State == job.StatePaused && s.Reason != "" }

// Spent says which bound of a budget the job has reached; empty where none is.
func (s Status) Spent(b job.Budget) string {
	return b.Spent(time.Duration(s.DeviceUS)*time.Microsecond, s.Tally.Ended(), s.Tally.Failed)
}

// Keys are the artifacts every question of a video shares.
type Keys struct {
	Source string       `json:"source"` // identity of the video's content
	Clip   artifact.Key `json:"clip"`
	Tokens artifact.Key `json:"tokens"`
}
