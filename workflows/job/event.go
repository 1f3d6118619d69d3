package job

import "time"

// EventKind is the last part of an event's subject.
type EventKind string

// The kinds of events.
const (
	EventState EventKind = "state" // the job changed its state; State is set
	EventStage EventKind = "stage" // a video or an item left a stage
)

// State is where a job stands.
type State string

// The states. Finished ones never change, except by `winnow retry`.
const (
	StateRunning  State = "running"
	StatePaused   State = "paused"
	StateFinished State = "finished"
	StateCanceled State = "canceled"
)

// Event is told while a job runs, so that whoever watches can draw it. Events
// may repeat (activities do): (Generation, Page, Video, Line, Stage) identifies one.
type Event struct {
	V          int       `json:"v"`
	Job        string    `json:"job"`
	Kind       EventKind `json:"kind"`
	Time       time.Time `json:"time"`
	State      State     `json:"state,omitempty"`
	Generation int       `json:"generation"`
	Page       int       `json:"page"`
	Video      int       `json:"video"` // number of the video within its page
	Line       int       `json:"line"`  // the first of the page's lines it tells of: a stage may take a video's questions in groups
	Stage      Stage     `json:"stage,omitempty"`
	Done       int       `json:"done"`   // units finished: 1 video (decode, encode) or n records (prune, answer, record)
	Failed     int       `json:"failed"` // of Done, how many failed
	Cached     int       `json:"cached"` // of Done, how many an earlier run had made
}
