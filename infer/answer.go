package infer

import (
	"context"
	"sync"

	"github.com/winnow-video/winnow/infer/bundle"
	"github.com/winnow-video/winnow/infer/tensor"
	"github.com/winnow-video/winnow/workflows/job"
)

// Answerer puts questions to a language model.
type Answerer struct {
	bundle    *bundle.Bundle
	projector Graph
	language  Language
}

// NewAnswerer loads the bundle's projector. Close frees it; language stays its owner's.
func NewAnswerer(engine Engine, b *bundle.Bundle, language Language) (*Answerer, error) {
	projector, err := engine.Load(b.Path(bundle.ProjectorFile))
	if err != nil {
		return nil, err
	}
	return &Answerer{bundle: b, projector: projector, language: language}, nil
}

// Close frees the projector.
func (a *Answerer) Close() error { return a.projector.Close() }

// Outcome is the end of one question: a reply or a failure.
type Outcome struct {
	Reply   job.Reply
	Failure *job.Failure
}

// Answer answers questions. Every one has its own outcome.
func (a *Answerer) Answer(ctx context.Context, questions []*Question) []Outcome {
	outcomes := make([]Outcome, len(questions))
	var ready []*asked
	var prompts []*Prompt
	for i, q := range questions {
		r, err := a.prepare(q)
		if err != nil {
			outcomes[i].Failure = job.AsFailure(job.StageAnswer, err)
			continue
		}
		r.at = i
		ready, prompts = append(ready, r), append(prompts, &r.prompt)
	}
	for i, said := range a.language.Say(ctx, prompts) {
		r := ready[i]
		if said.Err != nil {
			outcomes[r.at].Failure = job.AsFailure(job.StageAnswer, said.Err)
			continue
		}
		outcomes[r.at] = a.outcome(r, said.Utterance)
	}
	return outcomes
}

// Rows implements Answers. What it lays out is kept for Answer.
func (a *Answerer) Rows(q *Question) int {
	plan, err := a.bundle.Prompt(q.text(), q.kept)
	if err != nil {
		return 0 // Answer tells of it
	}
	q.plan = &plan
	return plan.Len - q.prefix(plan)
}

// asked is a question ready for the language model.
type asked struct {
	at       int // among the questions of the call
	question *Question
	plan     bundle.Prompt
	prompt   Prompt
	trimmed  bool
}

// prepare assembles the embeddings of a question's prompt.
func (a *Answerer) prepare(q *Question) (*asked, error) {
	if err := q.scorable(); err != nil {
		return nil, err
	}
	r := &asked{question: q}
	if err := a.plan(r); err != nil {
		return nil, err
	}
	if (q.mixture != nil) != (a.bundle.PoolAfter != nil) {
		return nil, contract(job.StageAnswer, "kept: a mixture of tokens belongs to models that pool behind their projector, and only to them")
	}
	embeds, err := a.embed(r.plan, q)
	r.prompt = Prompt{Embeds: embeds, Prefix: q.prefix(r.plan), Letters: a.bundle.LetterIDs[:len(q.Item.Options)], Generate: q.Generate}
	return r, err
}

// plan lays the prompt out, with fewer visual rows where it does not fit and
// the question allows that.
func (a *Answerer) plan(r *asked) (err error) {
	q := r.question
	if q.plan != nil {
		r.plan = *q.plan
	} else if r.plan, err = a.bundle.Prompt(q.text(), q.kept); err != nil {
		return err
	}
	tooLong := a.bundle.Fits(r.plan, q.Generate.Tokens())
	room := a.bundle.Room(r.plan, q.Generate.Tokens())
	if tooLong == nil || q.Fit != job.FitTrim || room == 0 {
		return tooLong
	}
	q.trim(room)
	r.trimmed = true
	r.plan, err = a.bundle.Prompt(q.text(), q.kept)
	return err
}

// embed lays text and projected rows out as the plan says.
func (a *Answerer) embed(plan bundle.Prompt, q *Question) (tensor.Dense[float32], error) {
	width := a.bundle.Dims.Language.Hidden
	visual, err := a.projected(q, width)
	if err != nil {
		return visual, err
	}
	if q.mixture != nil {
		visual = q.mixture.Sum(visual, q.rows())
	}
	if visual.Rows() != plan.Visual {
		return visual, contract(job.StageAnswer, "%d visual rows were made, the plan has %d", visual.Rows(), plan.Visual)
	}
	return a.layOut(plan, visual)
}

// layOut puts text and visual rows in the plan's order, and counts what it puts:
// every visual row once, as they come.
func (a *Answerer) layOut(plan bundle.Prompt, visual tensor.Dense[float32]) (tensor.Dense[float32], error) {
	width, shown := a.bundle.Dims.Language.Hidden, 0
	embeds := tensor.Dense[float32]{Shape: tensor.Shape{plan.Len, width}, Data: make([]float32, 0, plan.Len*width)}
	for _, s := range plan.Segments {
		switch {
		case s.Newline:
			embeds.Data = append(embeds.Data, a.bundle.NewlineRow()...)
		case s.IDs == nil:
			if s.First != shown || s.First+s.Rows > visual.Rows() {
				return embeds, contract(job.StageAnswer, "visual rows %d to %d follow %d of %d", s.First, s.First+s.Rows, shown, visual.Rows())
			}
			embeds.Data = append(embeds.Data, visual.Data[s.First*width:(s.First+s.Rows)*width]...)
			shown += s.Rows
		default:
			text, err := a.bundle.Embed(s.IDs)
			if err != nil {
				return embeds, err
			}
			embeds.Data = append(embeds.Data, text.Data...)
		}
	}
	if shown != plan.Visual || len(embeds.Data) != plan.Len*width {
		return embeds, contract(job.StageAnswer, "the prompt has %d rows, %d of them visual, the plan %d and %d", len(embeds.Data)/width, shown, plan.Len, plan.Visual)
	}
	return embeds, nil
}

// projection is the rows [M,E] that kept tokens became, for all questions that
// read one artifact and were fetched together. Each lets go of it once it has
// laid its prompt out, so that they go with the last one.
type projection struct {
	mu   sync.Mutex
	rows tensor.Dense[float32]
}

// projected is a question's tokens as rows [M,E], made by the first that asks.
func (a *Answerer) projected(q *Question, width int) (tensor.Dense[float32], error) {
	shared := q.projection
	if q.projection = nil; shared == nil {
		return a.project(q.tokens, width)
	}
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.rows.Data != nil {
		return shared.rows, nil
	}
	var err error
	shared.rows, err = a.project(q.tokens, width)
	return shared.rows, err
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
