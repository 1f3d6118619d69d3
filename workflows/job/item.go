package job

import "encoding/json"

// Item is one manifest line, validated and normalised. Pages store Items as JSON lines.
type Item struct {
	ID       string          `json:"id"`
	Video    string          `json:"video"` // s3://bucket/key, https URL or absolute path
	Question string          `json:"question"`
	Options  []string        `json:"options,omitempty"`
	Gold     *Gold           `json:"gold,omitempty"`
	Query    string          `json:"query,omitempty"` // text to prune by in place of the question
	Start    *float64        `json:"start,omitempty"` // seconds; default the video's begin
	End      *float64        `json:"end,omitempty"`   // seconds; default the video's end
	Metadata json.RawMessage `json:"metadata,omitempty"`
	Line     int             `json:"line"` // 1-based line of the user's manifest
}

// Gold is the right answer: an option, or a text where the item has none.
type Gold struct {
	Option *int   `json:"option,omitempty"` // 0-based
	Text   string `json:"text,omitempty"`
}
