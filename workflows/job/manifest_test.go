package job_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/winnow-video/winnow/workflows/job"
)

// read returns a manifest's items and its errors, a line each.
func read(t *testing.T, manifest string) (items []job.Item, errs []string) {
	t.Helper()
	for item, err := range job.ReadManifest(strings.NewReader(manifest), "m.jsonl", "/clips") {
		if err != nil {
			errs = append(errs, err.Error())
			continue
		}
		items = append(items, item)
	}
	return items, errs
}

func TestReadManifest(t *testing.T) {
	t.Parallel()
	const manifest = "\uFEFF" + `{"id":"a","video":"x.mp4","question":"What?","options":["red","blue"],"answer":"blue","metadata":{"k":1}}

{"id":"b","video":"s3://bucket/dir/y.mp4","question":"How many?","answer":"2","start":1.5,"end":3}
{"custom_id":"c","method":"POST","url":"/v1/chat/completions","body":{"model":"m","messages":[{"role":"user","content":[{"type":"video_url","video_url":{"url":"https://host/z.mp4"}},{"type":"text","text":"Who?"}]}]}}
`
	items, errs := read(t, manifest)
	one, start, end := 1, 1.5, 3.0
	want := []job.Item{
		{ID: "a", Video: "/clips/x.mp4", Question: "What?", Options: []string{"red", "blue"}, Gold: &job.Gold{Option: &one}, Metadata: []byte(`{"k":1}`), Line: 1},
		{ID: "b", Video: "s3://bucket/dir/y.mp4", Question: "How many?", Gold: &job.Gold{Text: "2"}, Start: &start, End: &end, Line: 3},
		{ID: "c", Video: "https://host/z.mp4", Question: "Who?", Line: 4},
	}
	if diff := cmp.Diff(want, items); diff != "" || errs != nil {
		t.Errorf("items (-want +got):\n%s\nerrors: %q", diff, errs)
	}
}

func TestReadManifestErrors(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, manifest, want string }{
		{"no JSON", `hello`, `m.jsonl:1: invalid character 'h' looking for beginning of value`},
		{"cut short", `{"id":"a","vid`, `m.jsonl:1: the JSON object is cut short`},
		{"array", `[1]`, `m.jsonl:1: is a JSON array; want one object`},
		{"two values", `{"id":"a","video":"v","question":"q"} {}`, `m.jsonl:1: more than one JSON value on the line`},
		{"unknown field", `{"id":"a","video":"v","qestion":"q"}`, `m.jsonl:1: unknown field "qestion"`},
		{"wrong type", `{"id":7,"video":"v","question":"q"}`, `m.jsonl:1: id: is a number; want string`},
		{"no question", `{"id":"a","video":"v","question":" "}`, `m.jsonl:1: question: missing or empty`},
		{"no video", `{"id":"a","question":"q"}`, `m.jsonl:1: video: missing or empty`},
		{"duplicate", "{\"id\":\"a\",\"video\":\"v\",\"question\":\"q\"}\n\n{\"id\":\"a\",\"video\":\"w\",\"question\":\"q\"}", `m.jsonl:3: id: "a" stands on line 1 already`},
		{"one option", `{"id":"a","video":"v","question":"q","options":["x"]}`, `m.jsonl:1: options: has 1; want 2 to 26, or none for a free answer`},
		{"empty option", `{"id":"a","video":"v","question":"q","options":["x",""]}`, `m.jsonl:1: options[1]: is empty`},
		{"end before start", `{"id":"a","video":"v","question":"q","start":3,"end":2}`, `m.jsonl:1: end: 2 s is not after start, 3 s`},
		{"metadata", `{"id":"a","video":"v","question":"q","metadata":3}`, `m.jsonl:1: metadata: want a JSON object`},
		{"scheme", `{"id":"a","video":"ftp://h/v","question":"q"}`, `m.jsonl:1: video: want a file path, s3://bucket/key or https://host/path without credentials`},
		{"credentials", `{"id":"a","video":"https://me:pw@h/v","question":"q"}`, `m.jsonl:1: video: want a file path, s3://bucket/key or https://host/path without credentials`},
		{"ambiguous gold", `{"id":"a","video":"v","question":"q","options":["B","A"],"answer":"A"}`, `m.jsonl:1: answer: "A" can be read as 2 different options; give the 0-based index instead`},
		{"gold twice", `{"id":"a","video":"v","question":"q","options":["red","red"],"answer":"red"}`, `m.jsonl:1: answer: "red" can be read as 2 different options; give the 0-based index instead`},
		{"gold nowhere", `{"id":"a","video":"v","question":"q","options":["x","y"],"answer":"z"}`, `m.jsonl:1: answer: "z" is no option's text and no letter from A to B`},
		{"gold index", `{"id":"a","video":"v","question":"q","options":["x","y"],"answer":2}`, `m.jsonl:1: answer: index 2: want 0 to 1`},
		{"index without options", `{"id":"a","video":"v","question":"q","answer":2}`, `m.jsonl:1: answer: the number 2 is an option's index, and there are no options; quote it if it is the text`},
		{"not UTF-8", "{\"id\":\"\xff\",\"video\":\"v\",\"question\":\"q\"}", `m.jsonl:1: not UTF-8`},
		{"batch method", `{"custom_id":"c","method":"GET","body":{}}`, `m.jsonl:1: method: "GET": want POST`},
		{"batch inline video", `{"custom_id":"c","method":"POST","body":{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AA"}}]}]}}`, `m.jsonl:1: holds its video inline; put it into a file and give its address`},
		{"long line", `{"id":"` + strings.Repeat("a", 1<<20) + `"}`, `m.jsonl:1: the line is longer than 1048576 bytes`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, errs := read(t, tt.manifest)
			if diff := cmp.Diff([]string{tt.want}, errs); diff != "" {
				t.Errorf("errors (-want +got):\n%s", diff)
			}
		})
	}
}

func TestReadManifestGoesOnAfterABadLine(t *testing.T) {
	t.Parallel()
	items, errs := read(t, "{\"id\":\"a\",\"video\":\"v\",\"question\":\"q\"}\nbad\n{\"id\":\"b\",\"video\":\"v\",\"question\":\"q\"}\n")
	if len(items) != 2 || len(errs) != 1 {
		t.Errorf("got %d items and errors %q, want 2 and one error", len(items), errs)
	}
}

func TestGoldMatches(t *testing.T) {
	t.Parallel()
	index := func(i int) *int { return &i }
	tests := []struct {
		name   string
		gold   job.Gold
		answer job.Answer
		want   bool
	}{
		{"option", job.Gold{Option: index(1)}, job.Answer{Text: "B", OptionIndex: index(1)}, true},
		{"other option", job.Gold{Option: index(1)}, job.Answer{Text: "A", OptionIndex: index(0)}, false},
		{"unparsed", job.Gold{Option: index(0)}, job.Answer{Text: "red"}, false},
		{"text", job.Gold{Text: "two dogs"}, job.Answer{Text: " Two  dogs. "}, true},
		{"other text", job.Gold{Text: "two"}, job.Answer{Text: "three"}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := tt.gold.Matches(tt.answer); got != tt.want {
				t.Errorf("Matches = %v, want %v", got, tt.want)
			}
		})
	}
}

// FuzzReadManifest looks for panics, and for items that break what Item promises.
func FuzzReadManifest(f *testing.F) {
	f.Add(`{"id":"a","video":"x.mp4","question":"What?","options":["red","blue"],"answer":1}`)
	f.Add(`{"custom_id":"c","method":"POST","body":{"messages":[{"role":"user","content":[]}]}}`)
	f.Fuzz(func(t *testing.T, manifest string) {
		seen := map[string]bool{}
		for item, err := range job.ReadManifest(strings.NewReader(manifest), "m", "/d") {
			if err != nil {
				continue
			}
			if item.ID == "" || item.Video == "" || item.Question == "" || item.Line == 0 || seen[item.ID] {
				t.Fatalf("bad item %+v", item)
			}
			if g := item.Gold; g != nil && g.Option != nil && *g.Option >= len(item.Options) {
				t.Fatalf("gold beyond the options: %+v", item)
			}
			seen[item.ID] = true
		}
	})
}
