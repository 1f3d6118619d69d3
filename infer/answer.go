package infer

import (
	"errors"
	"slices"

	"github.com/winnow-video/winnow/infer/bundle"
	"github.com/winnow-video/winnow/infer/tensor"
	"github.com/winnow-video/winnow/workflows/job"
)

// Answerer lets the language model answer.
type Answerer struct {
	bundle    *bundle.Bundle
	engine    string
	projector Graph
	decoder   Graph
	rows      int // of one batch, padding included
}

// NewAnswerer loads the bundle's projector and decoder. rows bounds B·L of one
// batch, prompts and answers together, and so its memory; what is longer runs
// alone. Close it.
func NewAnswerer(engine Engine, b *bundle.Bundle, rows int) (*Answerer, error) {
	projector, err := engine.Load(b.Path(bundle.ProjectorFile))
	if err != nil {
		return nil, err
	}
	decoder, err := engine.Load(b.Path(bundle.DecoderFile))
	if err != nil {
		return nil, errors.Join(err, projector.Close())
	}
	return &Answerer{bundle: b, engine: engine.Name(), projector: projector, decoder: decoder, rows: rows}, nil
}

// Close frees projector and decoder.
func (a *Answerer) Close() error { return errors.Join(a.projector.Close(), a.decoder.Close()) }

// Outcome is the end of one question: a reply or a failure.
type Outcome struct {
	Reply   job.Reply
	Failure *job.Failure
}

// Answer answers questions, in batches of like length. Every question has its
// own outcome; where a batch fails, its questions are tried one by one.
func (a *Answerer) Answer(questions []*Question) []Outcome {
	outcomes := make([]Outcome, len(questions))
	var ready []*prompt
	for i, q := range questions {
		p, err := a.prompt(q)
		if err != nil {
			outcomes[i].Failure = job.AsFailure(job.StageAnswer, err)
			continue
		}
		p.at = i
		ready = append(ready, p)
	}
	slices.SortStableFunc(ready, func(x, y *prompt) int { return x.reach() - y.reach() })
	for _, batch := range split(ready, a.rows) {
		a.answerBatch(batch, outcomes)
	}
	return outcomes
}

// split cuts prompts, sorted by reach, into batches of at most rows padded rows.
func split(prompts []*prompt, rows int) [][]*prompt {
	var batches [][]*prompt
	for len(prompts) > 0 {
		n := 1
		for n < len(prompts) && (n+1)*prompts[n].reach() <= rows {
			n++
		}
		batches, prompts = append(batches, prompts[:n]), prompts[n:]
	}
	return batches
}

func (a *Answerer) answerBatch(batch []*prompt, outcomes []Outcome) {
	said, err := a.decode(batch)
	switch {
	case err == nil:
		for i, p := range batch {
			outcomes[p.at] = a.outcome(p, said[i])
		}
	case len(batch) == 1:
		outcomes[batch[0].at].Failure = job.AsFailure(job.StageAnswer, err)
	default:
		for _, p := range batch {
			a.answerBatch([]*prompt{p}, outcomes)
		}
	}
}

// prompt is a question ready for the decoder.
type prompt struct {
	at       int // among the questions of the call
	question *Question
	plan     bundle.Prompt
	embeds   tensor.Dense[float32] // [L,E]
	trimmed  bool
}

func (p *prompt) len() int { return p.plan.Len }

// reach is the rows of its cache when all is said.
func (p *prompt) reach() int { return p.len() + p.question.said() }

// prompt assembles the embeddings of a question's prompt.
func (a *Answerer) prompt(q *Question) (*prompt, error) {
	if q.Generate.Mode == job.ModeScore && len(q.Item.Options) == 0 {
		return nil, job.Fail(job.StageAnswer, job.ConfigInvalid, "generate.mode is score, but line %d of the manifest has no options: give it options, or generate", q.Item.Line)
	}
	p := &prompt{question: q}
	if err := a.plan(p); err != nil {
		return nil, err
	}
	if p.plan.Visual != q.rows() {
		return nil, contract(job.StageAnswer, "the plan has %d visual rows, the question %d", p.plan.Visual, q.rows())
	}
	if (q.mixture != nil) != (a.bundle.PoolAfter != nil) {
		return nil, contract(job.StageAnswer, "kept: a mixture of tokens belongs to models that pool behind their projector, and only to them")
	}
	var err error
	p.embeds, err = a.embed(p.plan, q)
	return p, err
}

// plan lays the prompt out, with fewer visual rows where it does not fit and
// the question allows that.
func (a *Answerer) plan(p *prompt) (err error) {
	q := p.question
	if p.plan, err = a.bundle.Prompt(q.text(), q.kept); err != nil {
		return err
	}
	tooLong := a.bundle.Fits(p.plan, q.said())
	room := a.bundle.Room(p.plan, q.said())
	if tooLong == nil || q.Fit != job.FitTrim || room == 0 {
		return tooLong
	}
	q.trim(room)
	p.trimmed = true
	p.plan, err = a.bundle.Prompt(q.text(), q.kept)
	return err
}

// embed lays text and projected rows out as the plan says.
func (a *Answerer) embed(plan bundle.Prompt, q *Question) (tensor.Dense[float32], error) {
	width := a.bundle.Dims.Language.Hidden
	visual, err := a.project(q.tokens, width)
	if err != nil {
		return visual, err
	}
	if q.mixture != nil {
		visual = q.mixture.Sum(visual, q.rows())
	}
	embeds := tensor.Dense[float32]{Shape: tensor.Shape{plan.Len, width}, Data: make([]float32, 0, plan.Len*width)}
	for _, s := range plan.Segments {
		switch {
		case s.Newline:
			embeds.Data = append(embeds.Data, a.bundle.NewlineRow()...)
		case s.IDs == nil:
			embeds.Data = append(embeds.Data, visual.Data[s.First*width:(s.First+s.Rows)*width]...)
		default:
			text, err := a.bundle.Embed(s.IDs)
			if err != nil {
				return embeds, err
			}
			embeds.Data = append(embeds.Data, text.Data...)
		}
	}
	if len(embeds.Data) != plan.Len*width {
		return embeds, contract(job.StageAnswer, "the prompt has %d rows, the plan %d", len(embeds.Data)/width, plan.Len)
	}
	return embeds, nil
}

// project maps tokens [M,D] to rows [M,E].
func (a *Answerer) project(tokens tensor.Dense[tensor.Float16], width int) (tensor.Dense[float32], error) {
	in, out := &tensor.File{}, &tensor.File{}
	tensor.Put(in, "tokens", tokens)
	if err := a.projector.Run(in, out); err != nil {
		return tensor.Dense[float32]{}, ran(job.StageAnswer, err)
	}
	rows, err := tensor.Get[float32](out, "rows")
	if err != nil || len(rows.Data) != tokens.Rows()*width {
		return rows, contract(job.StageAnswer, "the projector returned rows %v, want [%d,%d]", rows.Shape, tokens.Rows(), width)
	}
	return rows, nil
}
