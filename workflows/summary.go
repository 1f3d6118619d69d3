package workflows

import "github.com/winnow-video/winnow/workflows/job"

// Summary is the content of a job's summary.json.
type Summary struct {
	V          int       `json:"v"`
	Job        string    `json:"job"`
	State      job.State `json:"state"`
	Generation int       `json:"generation"` // the newest; records of earlier ones count where no newer one is
	Began      string    `json:"began"`      // RFC 3339, UTC
	Ended      string    `json:"ended"`      // RFC 3339, UTC
	Items      int       `json:"items"`      // lines of the manifest
	Stages     Tally     `json:"stages"`     // what the newest generation's videos took; counts are of all records
	Variants   []Variant `json:"variants"`   // in the order of the job file
}

// Variant sums up the records of one pruning setting.
type Variant struct {
	Variant  string           `json:"variant"`
	OK       int              `json:"ok"`
	Failed   int              `json:"failed"`
	Codes    map[job.Code]int `json:"codes,omitempty"` // of the failed
	Unparsed int              `json:"unparsed"`        // of the ok
	Graded   int              `json:"graded"`          // ok and with a gold answer
	Correct  int              `json:"correct"`         // of the graded
	Accuracy *float64         `json:"accuracy"`        // correct of graded, 0..1; null without any
	Tokens   job.Tokens       `json:"tokens"`          // summed over the ok
	FLOPs    job.FLOPs        `json:"flops"`           // summed over the ok
	Degraded map[string]int   `json:"degraded,omitempty"`
}
