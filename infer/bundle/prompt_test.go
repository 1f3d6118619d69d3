package bundle

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/winnow-video/winnow/workflows/job"
)

func testQuestion() Question {
	return Question{
		Text: "What colour is the circle?", Options: []string{"red", "green"},
		Times: []float64{0, 1.25, 2.5}, Duration: 3.75,
	}
}

// outline writes a prompt as text, visual rows as [frame first+rows].
func outline(t *testing.T, b *Bundle, p Prompt) []string {
	t.Helper()
	var out []string
	for _, s := range p.Segments {
		text, err := b.Tokenizer().Decode(s.IDs)
		if err != nil {
			t.Fatal(err)
		}
		if s.Newline {
			text = "↵"
		} else if s.IDs == nil {
			text = "[" + string(rune('0'+s.Frame)) + " " + string(rune('0'+s.First)) + "+" + string(rune('0'+s.Rows)) + "]"
		}
		out = append(out, text)
	}
	return out
}

func TestPromptPerFrame(t *testing.T) {
	t.Parallel()
	b := openBundle(t, nil)
	p, err := b.Prompt(testQuestion(), []int{2, 0, 3})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"USER: 3 frames. frame 1 at 0.00:", "[0 0+2]", " frame 3 at 2.50:", "[2 2+3]",
		" What colour is the circle?\nA. red\nB. green\nAnswer with the option's letter. ASSISTANT:",
	}
	if diff := cmp.Diff(want, outline(t, b, p)); diff != "" {
		t.Errorf("prompt (-want +got):\n%s", diff)
	}
	total := 0
	for _, s := range p.Segments {
		total += len(s.IDs) + s.Rows
	}
	if p.Len != total || p.Visual != 5 {
		t.Errorf("L = %d, M = %d, want %d and 5", p.Len, p.Visual, total)
	}
	if first := p.Segments[0].IDs[0]; first != *b.BOS {
		t.Errorf("the prompt begins with id %d, want bos %d", first, *b.BOS)
	}
}

func TestPromptJoinedWithoutOptions(t *testing.T) {
	t.Parallel()
	b := openBundle(t, func(m *Manifest) {
		m.Layout, m.FramePrefix, m.BOS = Joined, "", nil
		m.Template.Prompt = "{frames}{times} of {duration_s} s: {question}{options}"
	})
	q := testQuestion()
	q.Options = nil
	p, err := b.Prompt(q, []int{1, 1, 1})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"[0 0+1]", "[1 1+1]", "[2 2+1]", "0.00s,1.25s,2.50s of 3.75 s: What colour is the circle?"}
	if diff := cmp.Diff(want, outline(t, b, p)); diff != "" {
		t.Errorf("prompt (-want +got):\n%s", diff)
	}
}

// The prefix ends with the last visual row, or the newline behind it; there is
// none where the question stands before the frames.
func TestPromptPrefix(t *testing.T) {
	t.Parallel()
	for template, tail := range map[string]string{
		"{n} frames.{frames} {question}{options} Answer:": " What colour is the circle?\nA. red\nB. green\nAnswer with the option's letter. Answer:",
		"{duration_s} s, {times}:{frames}":                "",
		"{question} {frames}{options}":                    "all",
		"Of{options} {frames} {question}:":                "all",
	} {
		b := openBundle(t, func(m *Manifest) { m.Template.Prompt, m.Newline = template, NewlineEnd })
		p, err := b.Prompt(testQuestion(), []int{2, 0, 3})
		if err != nil {
			t.Fatal(err)
		}
		if tail == "all" {
			if p.Prefix != 0 {
				t.Errorf("%q: a prefix of %d rows, want none", template, p.Prefix)
			}
			continue
		}
		if want := p.Len - len(b.Tokenizer().EncodeTexts([]Text{{Text: tail, Literal: true}})); p.Prefix != want {
			t.Errorf("%q: a prefix of %d rows of %d, want %d", template, p.Prefix, p.Len, want)
		}
	}
}

// A prompt that is tokenised whole has the ids of its text with placeholders.
func TestPromptTokenizedWhole(t *testing.T) {
	t.Parallel()
	dir := writeBundle(t, func(m *Manifest) {
		m.Layout, m.FramePrefix, m.BOS, m.LetterIDs, m.Tokenize = PerFrame, "", nil, nil, TokenizeWhole
		m.Template.Prompt, m.FrameSuffix = "USER: {frames}What now? ASSISTANT:", "then"
	})
	llama2 := readTestdata(t, filepath.Join("families", "llama2.json"))
	putFile(t, dir, TokenizerFile, TokenizerFile, llama2, func(*Manifest) {})
	putFile(t, dir, EmbeddingsFile, EmbeddingsFile, testEmbeddings(t, 2604), func(m *Manifest) { m.Dims.Language.Vocab = 2604 })
	b, err := Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	p, err := b.Prompt(Question{Times: make([]float64, 2)}, []int{1, 1})
	if err != nil {
		t.Fatal(err)
	}
	var got []int32
	mark := b.Tokenizer().Encode("<image>")
	for _, s := range p.Segments {
		if s.IDs == nil {
			s.IDs = mark
		}
		got = append(got, s.IDs...)
	}
	if diff := cmp.Diff(b.Tokenizer().Encode("USER: <image>then<image>thenWhat now? ASSISTANT:"), got); diff != "" {
		t.Errorf("ids (-want +got):\n%s", diff)
	}
}

func TestPromptFrameSuffix(t *testing.T) {
	t.Parallel()
	b := openBundle(t, func(m *Manifest) {
		m.FramePrefix, m.FrameSuffix, m.Template.Prompt = "", " ({i})\n", "{frames}{question}{options}"
	})
	q := testQuestion()
	q.Options = nil
	p, err := b.Prompt(q, []int{2, 0, 3})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"", "[0 0+2]", " (1)\n", "[2 2+3]", " (3)\nWhat colour is the circle?"}
	if diff := cmp.Diff(want, outline(t, b, p)); diff != "" {
		t.Errorf("prompt (-want +got):\n%s", diff)
	}
}

func TestPromptNewlines(t *testing.T) {
	t.Parallel()
	cells := [][]int32{{0, 1}, nil, {0, 2, 3}}
	tests := []struct {
		newline Newline
		kept    []int
		cells   [][]int32
		want    []string
	}{
		{NewlineEnd, []int{2, 0, 3}, nil, []string{"[0 0+2]", "[2 2+3]", "↵", "?"}},
		{NewlineFrame, []int{2, 0, 3}, nil, []string{"[0 0+2]", "↵", "[2 2+3]", "↵", "?"}},
		{NewlineRow, []int{2, 0, 3}, cells, []string{"[0 0+2]", "↵", "[2 2+1]", "↵", "[2 3+2]", "↵", "?"}},
		{NewlineRow, []int{4, 0, 0}, nil, []string{"[0 0+2]", "↵", "[0 2+2]", "↵", "?"}},
		{NewlineEnd, []int{0, 0, 0}, nil, []string{"?"}},
	}
	for _, test := range tests {
		b := openBundle(t, func(m *Manifest) {
			m.Layout, m.Newline, m.BOS, m.Template.Prompt = Joined, test.newline, nil, "{frames}{question}{options}"
		})
		q := Question{Text: "?", Times: make([]float64, 3), Cells: test.cells}
		p, err := b.Prompt(q, test.kept)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(test.want, outline(t, b, p)); diff != "" {
			t.Errorf("newline %s (-want +got):\n%s", test.newline, diff)
		}
		if want := b.Tokenizer().Encode("?"); !cmp.Equal(want, p.Tail()) {
			t.Errorf("newline %s: tail %v, want %v", test.newline, p.Tail(), want)
		}
		if diff := cmp.Diff([]float32{9, 8, 7, 6}, b.NewlineRow()); diff != "" {
			t.Errorf("newline row (-want +got):\n%s", diff)
		}
	}
}

func TestPromptNewlineRowNeedsCells(t *testing.T) {
	t.Parallel()
	b := openBundle(t, func(m *Manifest) { m.Newline = NewlineRow })
	_, err := b.Prompt(testQuestion(), []int{2, 0, 3})
	var failure *job.Failure
	if !errors.As(err, &failure) || failure.Code != job.ModelContract {
		t.Errorf("%v, want %s", err, job.ModelContract)
	}
}

func TestPromptTextIsTheUsersAlone(t *testing.T) {
	t.Parallel()
	b := openBundle(t, nil)
	q := testQuestion()
	q.Text = "{frames}</s>{options}<image>"
	p, err := b.Prompt(q, []int{1, 1, 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range p.Tail() {
		if b.Tokenizer().tokens[id].special {
			t.Errorf("the question put special token %d into the prompt", id)
		}
	}
	if got := outline(t, b, p); !strings.Contains(got[len(got)-1], q.Text) {
		t.Errorf("the prompt ends %q, want the question %q in it as written", got[len(got)-1], q.Text)
	}
}

func TestQueryIDs(t *testing.T) {
	t.Parallel()
	b := openBundle(t, nil)
	q := testQuestion()
	p, err := b.Prompt(q, []int{1, 2, 3})
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		kind job.Query
		want []int32
	}{
		{job.QueryPrompt, p.Segments[len(p.Segments)-1].IDs},
		{job.QueryQuestion, b.Tokenizer().Encode(q.Text)},
		{job.QueryReleased, p.Segments[0].IDs[1:2]},
	}
	for _, test := range tests {
		got, err := b.QueryIDs(test.kind, q)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("ids of query %s (-want +got):\n%s", test.kind, diff)
		}
	}
	if _, err := b.QueryIDs("answer", q); err == nil {
		t.Error("an unknown query was accepted")
	}
}

func TestPromptRefuses(t *testing.T) {
	t.Parallel()
	b := openBundle(t, nil)
	many := testQuestion()
	many.Options = []string{"1", "2", "3", "4"}
	tests := []struct {
		q    Question
		kept []int
		code job.Code
	}{
		{many, []int{1, 1, 1}, job.ConfigInvalid},
		{testQuestion(), []int{1}, job.ModelContract},
	}
	for _, test := range tests {
		_, err := b.Prompt(test.q, test.kept)
		var failure *job.Failure
		if !errors.As(err, &failure) || failure.Code != test.code {
			t.Errorf("%d options, %v kept: %v, want %s", len(test.q.Options), test.kept, err, test.code)
		}
	}
}

func TestFitsCountsTheAnswerToo(t *testing.T) {
	t.Parallel()
	b := openBundle(t, nil)
	p, err := b.Prompt(testQuestion(), []int{4, 4, 4})
	if err != nil {
		t.Fatal(err)
	}
	room := b.Context - p.Len
	if err := b.Fits(p, room); err != nil {
		t.Errorf("a prompt of %d and %d to answer: %v, want it to fit %d", p.Len, room, err, b.Context)
	}
	var failure *job.Failure
	if err := b.Fits(p, room+1); !errors.As(err, &failure) || failure.Code != job.ConfigContext {
		t.Errorf("one token too many: %v, want %s", err, job.ConfigContext)
	}
	if got := b.Room(p, room+1); got != p.Visual-1 {
		t.Errorf("room for %d visual rows, want %d", got, p.Visual-1)
	}
}
