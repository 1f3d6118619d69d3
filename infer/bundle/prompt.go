package bundle

import (
	"slices"

	"github.com/winnow-video/winnow/workflows/job"
)

// Question is what a prompt is made of: a question about the frames of a clip.
type Question struct {
	Text     string
	Options  []string  // at most len(Letters)
	Times    []float64 // [T], PTS of the frames looked at, seconds
	Duration float64   // of the video, seconds
	Cells    [][]int32 // [T], where each frame's kept rows stand, ascending; nil if all are kept. Only newline: row asks
}

// Prompt is the one sequence that the language model reads: text and visual
// rows in order, without gaps.
type Prompt struct {
	Segments []Segment
	Len      int // L: text tokens, newlines and visual rows
	Visual   int // M: visual rows
	Prefix   int // rows before those that follow from the question: with the same rows kept, every question's prompt begins so

	tail int // first segment after the last visual rows
}

// Segment is a run of text tokens (IDs), the model's newline, or else a run of
// visual rows: rows First ≤ i < First+Rows of the kept tokens, all of frame Frame.
type Segment struct {
	IDs     []int32
	Newline bool
	Frame   int
	First   int
	Rows    int
}

// Prompt assembles the prompt of q with kept[t] visual rows of frame t. Frames
// of which nothing was kept are not mentioned.
func (b *Bundle) Prompt(q Question, kept []int) (Prompt, error) {
	if err := b.accepts(q, kept); err != nil {
		return Prompt{}, err
	}
	values := b.template.values(q)
	var p Prompt
	side := fill(b.template.head, values)
	for t, rows := range kept {
		if rows == 0 {
			continue
		}
		if b.Layout == PerFrame {
			side = append(side, beside(b.template.prefix, q, t)...)
		}
		p.text(b.side(p, side), b.BOS)
		if err := b.frame(&p, q, t, rows); err != nil {
			return Prompt{}, err
		}
		side = nil
		if b.Layout == PerFrame {
			side = beside(b.template.suffix, q, t)
		}
	}
	if b.Newline == NewlineEnd && p.Visual > 0 {
		p.newline()
	}
	p.tail = len(p.Segments)
	if !b.template.asksFirst() {
		p.Prefix = p.Len
	}
	p.text(b.side(p, append(side, fill(b.template.tail, values)...)), b.BOS)
	return p, nil
}

// side is the ids of text that follows p, on one side of visual rows. Hugging
// Face's processors tokenise the prompt with its placeholders, so that only what
// begins it begins a text.
func (b *Bundle) side(p Prompt, texts []Text) []int32 {
	if b.Tokenize == TokenizeWhole && p.Len > 0 {
		return b.tokenizer.EncodeBehind(texts)
	}
	return b.tokenizer.EncodeTexts(texts)
}

// frame appends the rows of frame t, with newlines where the model has them.
func (b *Bundle) frame(p *Prompt, q Question, t, rows int) error {
	runs := []int{rows}
	if b.Newline == NewlineRow {
		var err error
		if runs, err = b.gridRows(q, t, rows); err != nil {
			return err
		}
	}
	for _, n := range runs {
		p.rows(t, n)
		if b.Newline == NewlineRow || b.Newline == NewlineFrame {
			p.newline()
		}
	}
	return nil
}

// gridRows counts the kept rows of frame t by the rows of its grid, empty ones left out.
func (b *Bundle) gridRows(q Question, t, rows int) ([]int, error) {
	if q.Cells == nil && rows == b.Tokens() {
		return slices.Repeat([]int{b.Grid[1]}, b.Grid[0]), nil
	}
	if t >= len(q.Cells) || len(q.Cells[t]) != rows {
		return nil, job.Fail(job.StageAnswer, job.ModelContract, "%d rows are kept of frame %d, but not where they stand", rows, t)
	}
	var runs []int
	last := int32(-1)
	for _, cell := range q.Cells[t] {
		if row := cell / int32(b.Grid[1]); row != last {
			runs, last = append(runs, 0), row
		}
		runs[len(runs)-1]++
	}
	return runs, nil
}

// accepts refuses what no prompt can be made of.
func (b *Bundle) accepts(q Question, kept []int) error {
	if len(q.Options) > len(b.LetterIDs) {
		return job.Fail(job.StageAnswer, job.ConfigInvalid, "%d options, but the bundle has letters for %d", len(q.Options), len(b.LetterIDs))
	}
	if len(kept) != len(q.Times) {
		return job.Fail(job.StageAnswer, job.ModelContract, "kept tokens of %d frames, but the clip has %d", len(kept), len(q.Times))
	}
	return nil
}

// text appends ids; the first of a prompt come after bos.
func (p *Prompt) text(ids []int32, bos *int32) {
	if p.Len == 0 && bos != nil {
		ids = append([]int32{*bos}, ids...)
	}
	if len(ids) == 0 {
		return
	}
	p.Segments = append(p.Segments, Segment{IDs: ids})
	p.Len += len(ids)
}

// rows appends n visual rows of frame t.
func (p *Prompt) rows(t, n int) {
	p.Segments = append(p.Segments, Segment{Frame: t, First: p.Visual, Rows: n})
	p.Len += n
	p.Visual += n
}

// newline appends the model's newline.
func (p *Prompt) newline() {
	p.Segments = append(p.Segments, Segment{Newline: true})
	p.Len++
}

// Fits refuses a prompt that leaves no room for maxTokens of answer. What it says
// follows from the tokens kept, not from where they stand: workers refuse some
// before that is known, in the same words.
func (m *Manifest) Fits(p Prompt, maxTokens int) error {
	if p.Len+maxTokens <= m.Context {
		return nil
	}
	return job.Fail(job.StageAnswer, job.ConfigContext,
		"%d visual tokens, the text around them and %d tokens to answer exceed the model's context of %d: lower frames, prune.keep or generate.max_tokens, or set fit: trim",
		p.Visual, maxTokens, m.Context)
}

// Room is how many visual rows fit beside p's text and maxTokens of answer.
func (b *Bundle) Room(p Prompt, maxTokens int) int {
	return max(0, b.Context-maxTokens-(p.Len-p.Visual))
}
