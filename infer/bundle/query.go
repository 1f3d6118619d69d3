package bundle

import (
	"slices"

	"github.com/winnow-video/winnow/workflows/job"
)

// Tail is the ids after the last visual rows: what query vector `prompt` is made of.
func (p Prompt) Tail() []int32 {
	var ids []int32
	for _, s := range p.Segments[p.tail:] {
		ids = append(ids, s.IDs...)
	}
	return ids
}

// Second is the prompt's second text token, of which `released` makes its
// query; nil if there is none.
func (p Prompt) Second() []int32 {
	var ids []int32
	for _, s := range p.Segments {
		if ids = append(ids, s.IDs...); len(ids) > 1 {
			return ids[1:2]
		}
	}
	return nil
}

// QueryIDs returns the token ids that the query vector of q comes from: prune
// makes it of their embeddings. They do not depend on what is kept.
func (b *Bundle) QueryIDs(kind job.Query, q Question) ([]int32, error) {
	if kind == job.QueryQuestion {
		return b.questionIDs(q), nil
	}
	kept := make([]int, len(q.Times))
	for t := range kept {
		kept[t] = b.Tokens()
	}
	p, err := b.Prompt(q, kept)
	if err != nil {
		return nil, err
	}
	switch kind {
	case job.QueryPrompt:
		return p.Tail(), nil
	case job.QueryReleased:
		return p.Second(), nil
	}
	return nil, job.Fail(job.StagePrune, job.ConfigInvalid, "query %q: want prompt, question or released", kind)
}

// questionIDs is what the question's own text becomes inside the prompt: the
// tokens that it has a part in, a space before it or a line break behind it
// included where the tokenizer joins them to its words.
func (b *Bundle) questionIDs(q Question) []int32 {
	before, after, first := b.aroundQuestion(q)
	encode := b.tokenizer.EncodeTexts
	if b.Tokenize == TokenizeWhole && !first {
		encode = b.tokenizer.EncodeBehind
	}
	asked := slices.Concat(before, user(q.Text))
	from, to := b.tokenizer.size(encode(before)), b.tokenizer.size(encode(asked))
	var ids []int32
	at := 0
	for _, id := range encode(slices.Concat(asked, after)) {
		end := at + b.tokenizer.size([]int32{id})
		if at < to && end > from {
			ids = append(ids, id)
		}
		at = end
	}
	return ids
}

// aroundQuestion is the text before and behind the question, on its side of
// visual rows; first says that the prompt begins with it.
func (b *Bundle) aroundQuestion(q Question) (before, after []Text, first bool) {
	head, tail, first := b.template.cutAtQuestion()
	values := b.template.values(q)
	before, after = fill(head, values), fill(tail, values)
	switch {
	case b.Layout != PerFrame || len(q.Times) == 0:
	case first:
		after = append(after, beside(b.template.prefix, q, 0)...)
	default:
		before = append(beside(b.template.suffix, q, len(q.Times)-1), before...)
	}
	return before, after, first
}
