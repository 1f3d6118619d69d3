package bundle

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/winnow-video/winnow/workflows/job"
)

func TestParseAnswer(t *testing.T) {
	t.Parallel()
	colours := []string{"red", "dark green", "A"}
	animals := []string{"cat", "dog", "Cat."}
	tests := []struct {
		text    string
		options []string
		parse   job.Parse
		index   int
		letter  string
	}{
		{"red", colours, job.ParseExact, 0, "A"},
		{"  Dark  GREEN.\n", colours, job.ParseExact, 1, "B"},
		{"B", colours, job.ParseLetter, 1, "B"},
		{"b.", colours, job.ParseLetter, 1, "B"},
		{"(B)", colours, job.ParseLetter, 1, "B"},
		{"B: dark green", colours, job.ParseLetter, 1, "B"},
		{"B. red", colours, job.ParseUnparsed, 0, ""},
		{"B red", colours, job.ParseUnparsed, 0, ""},
		{"A", colours, job.ParseUnparsed, 0, ""}, // option C's text and option A's letter
		{"cat", animals, job.ParseUnparsed, 0, ""},
		{"dog", animals, job.ParseExact, 1, "B"},
		{"D", colours, job.ParseUnparsed, 0, ""},
		{"it is red", colours, job.ParseUnparsed, 0, ""},
		{"", colours, job.ParseUnparsed, 0, ""},
		{"A", []string{"a", "b"}, job.ParseExact, 0, "A"},
	}
	for _, test := range tests {
		want := job.Answer{Text: test.text, Parse: test.parse, Letter: test.letter}
		if test.parse != job.ParseUnparsed {
			want.OptionIndex = &test.index
		}
		if diff := cmp.Diff(want, ParseAnswer(test.text, test.options)); diff != "" {
			t.Errorf("%q among %q (-want +got):\n%s", test.text, test.options, diff)
		}
	}
}

func TestParseAnswerWithoutOptions(t *testing.T) {
	t.Parallel()
	want := job.Answer{Text: " two", Parse: job.ParseText}
	if diff := cmp.Diff(want, ParseAnswer(" two", nil)); diff != "" {
		t.Errorf("free text (-want +got):\n%s", diff)
	}
}
