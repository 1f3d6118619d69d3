package grade

import (
	"encoding/json"
	"slices"

	"github.com/winnow-video/winnow/workflows/job"
)

// Sheet collects what records say. The zero Sheet is empty.
type Sheet struct {
	// By is a key of the records' metadata: every value of it gets lines of its
	// own. Empty is one line a variant.
	By string

	lines []*line // in order of first appearance
	byKey map[key]*line
	video map[string]int // number of a video
	heard []verdict
}

// key tells one line from another.
type key struct{ variant, group string }

// line is one variant's answers within one group.
type line struct {
	key
	videos   map[int]*count
	unparsed int
	ungraded int
	failed   int
}

// count is the graded answers about one video.
type count struct{ right, graded int }

// Add counts a record. Where an item was run again, add the newest record only.
func (s *Sheet) Add(r job.Record) {
	l := s.line(key{r.Variant, s.group(r)})
	switch {
	case r.Result == nil:
		l.failed++
		return
	case r.Correct == nil:
		l.ungraded++
		return
	}
	if r.Answer.Parse == job.ParseUnparsed {
		l.unparsed++
	}
	video := s.number(r.Video)
	if l.videos[video] == nil {
		l.videos[video] = &count{}
	}
	l.videos[video].graded++
	if *r.Correct {
		l.videos[video].right++
	}
	if r.Confidence != nil && len(r.OptionLogprobs) > 1 {
		s.hear(l.key, video, r)
	}
}

// line is the line of k, a new one if there is none.
func (s *Sheet) line(k key) *line {
	if s.byKey == nil {
		s.byKey, s.video = map[key]*line{}, map[string]int{}
	}
	l := s.byKey[k]
	if l == nil {
		l = &line{key: k, videos: map[int]*count{}}
		s.byKey[k], s.lines = l, append(s.lines, l)
	}
	return l
}

// number is the video's, by order of first appearance.
func (s *Sheet) number(video string) int {
	n, known := s.video[video]
	if !known {
		n = len(s.video)
		s.video[video] = n
	}
	return n
}

// group is the record's value of By: a string as it is, another value as JSON, "" where there is none.
func (s *Sheet) group(r job.Record) string {
	if s.By == "" {
		return ""
	}
	var metadata map[string]json.RawMessage
	if json.Unmarshal(r.Metadata, &metadata) != nil {
		return ""
	}
	var text string
	if json.Unmarshal(metadata[s.By], &text) == nil {
		return text
	}
	return string(metadata[s.By])
}

// Variants lists the variants seen, in order of first appearance.
func (s *Sheet) Variants() []string {
	var names []string
	for _, l := range s.lines {
		if !slices.Contains(names, l.variant) {
			names = append(names, l.variant)
		}
	}
	return names
}
