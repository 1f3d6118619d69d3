package job

import "encoding/json"

// Status is how an item ended.
type Status string

// The two ends of an item.
const (
	StatusOK     Status = "ok"
	StatusFailed Status = "failed"
)

// Record is the one outcome of an (item, variant). Exactly one of Result and
// Failure is set. Everything that differs between two equal runs is in Run (and Job).
type Record struct {
	V       int    `json:"v"`
	ID      string `json:"id"`
	Variant string `json:"variant"`
	Job     string `json:"job"`
	Video   string `json:"video"`
	Status  Status `json:"status"`
	*Result
	Failure  *Failure        `json:"failure,omitempty"`
	Metadata json.RawMessage `json:"metadata,omitempty"`
	Run      Run             `json:"run"`
}

// Result is what an ok record holds beside its identity.
type Result struct {
	Answer         Answer     `json:"answer"`
	OptionLogprobs []*float64 `json:"option_logprobs,omitempty"` // natural log over the options; null where unknown
	Confidence     *float64   `json:"confidence,omitempty"`      // 0..1
	Correct        *bool      `json:"correct,omitempty"`         // absent without a gold answer
	Frames         []Frame    `json:"frames"`
	KeptRef        string     `json:"kept_ref"` // key of the kept tokens
	Tokens         Tokens     `json:"tokens"`
	FLOPs          FLOPs      `json:"flops"`
	Prune          Pruning    `json:"prune"`
	Degraded       []string   `json:"degraded,omitempty"`
	Model          Model      `json:"model"`
}

// Parse says how an answer's text became an option.
type Parse string

// The ways of reading an answer. An answer that cannot be read is unparsed, never a guess.
const (
	ParseExact    Parse = "exact"  // the text is an option's text
	ParseLetter   Parse = "letter" // the text is an option's letter
	ParseScore    Parse = "score"  // the option of highest log-probability
	ParseText     Parse = "text"   // free text, no options to choose from
	ParseUnparsed Parse = "unparsed"
)

// Answer is what the language model said.
type Answer struct {
	Text        string `json:"text"`
	OptionIndex *int   `json:"option_index,omitempty"` // 0-based
	Letter      string `json:"letter,omitempty"`
	Parse       Parse  `json:"parse"`
}

// Frame is one sampled frame of a record.
type Frame struct {
	Index     int     `json:"index"` // frame index in the video stream
	PTS       float64 `json:"pts_s"` // seconds
	Kept      int     `json:"kept"`
	Total     int     `json:"total"`
	Relevance float64 `json:"relevance"` // highest relevance among the kept tokens, -1..1
}

// Tokens counts what the language model read and wrote.
type Tokens struct {
	VisualTotal int `json:"visual_total"`
	VisualKept  int `json:"visual_kept"`
	Prompt      int `json:"prompt"` // prompt length, visual tokens included
	Completion  int `json:"completion"`
}

// FLOPs compares what pruning left with the whole, under a named convention.
type FLOPs struct {
	Convention string  `json:"convention"`
	Full       float64 `json:"full"`
	Spent      float64 `json:"spent"`
}

// Model names what answered.
type Model struct {
	Bundle string `json:"bundle"`
	Digest string `json:"digest"`
	Engine string `json:"engine"`
}

// Run is the volatile part of a record.
type Run struct {
	Timing       Timing `json:"timing_ms"`
	Cache        Cache  `json:"cache"`
	BytesFetched int64  `json:"bytes_fetched"`
	DeviceUS     int64  `json:"device_us,omitempty"` // what winnow-infer's device ran for the item's video
	Attempts     int    `json:"attempts"`
	Worker       string `json:"worker,omitempty"`
}

// Timing holds milliseconds per stage, as this job waited for them.
type Timing struct {
	Queue  int64 `json:"queue"`
	Fetch  int64 `json:"fetch"`
	Decode int64 `json:"decode"`
	Encode int64 `json:"encode"`
	Prune  int64 `json:"prune"`
	Answer int64 `json:"answer"`
	Total  int64 `json:"total"`
}

// Cache says which artifacts an earlier run had already made.
type Cache struct {
	Clip   bool `json:"clip"`
	Tokens bool `json:"tokens"`
	Answer bool `json:"answer"`
}

// Reply is the stored answer artifact: what winnow-infer writes and the record is made of.
type Reply struct {
	V              int        `json:"v"`
	Answer         Answer     `json:"answer"`
	OptionLogprobs []*float64 `json:"option_logprobs,omitempty"`
	Confidence     *float64   `json:"confidence,omitempty"`
	Tokens         Tokens     `json:"tokens"`
	Trimmed        []int      `json:"trimmed,omitempty"` // [T], rows left of each frame, where `fit: trim` dropped some
	FLOPs          FLOPs      `json:"flops"`
	Degraded       []string   `json:"degraded,omitempty"`
	Engine         string     `json:"engine"`
}
