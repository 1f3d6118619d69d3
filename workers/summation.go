package workers

import (
	"time"

	"github.com/winnow-video/winnow/workflows"
	"github.com/winnow-video/winnow/workflows/job"
)

// summation sums up a job's records, one after the other.
type summation struct {
	in       workflows.FinaliseInput
	tally    workflows.Tally
	variants []workflows.Variant
}

func newSummation(in workflows.FinaliseInput, spec job.Spec) *summation {
	s := &summation{in: in, tally: in.Progress.Tally, variants: make([]workflows.Variant, len(spec.Prune))}
	s.tally.OK, s.tally.Failed, s.tally.Codes = 0, 0, nil // the records tell
	for i, p := range spec.Prune {
		s.variants[i].Variant = p.Variant()
	}
	return s
}

func (s *summation) add(variant int, r job.Record) {
	s.tally.Count(codeOf(r))
	v := &s.variants[variant]
	if r.Result == nil {
		v.Failed++
		v.Codes = plusOne(v.Codes, codeOf(r))
		return
	}
	v.OK++
	v.Tokens = plusTokens(v.Tokens, r.Tokens)
	v.FLOPs.Convention = r.FLOPs.Convention
	v.FLOPs.Full += r.FLOPs.Full
	v.FLOPs.Spent += r.FLOPs.Spent
	if r.Answer.Parse == job.ParseUnparsed {
		v.Unparsed++
	}
	for _, why := range r.Degraded {
		v.Degraded = plusOne(v.Degraded, why)
	}
	grade(v, r.Correct)
}

func grade(v *workflows.Variant, correct *bool) {
	if correct == nil {
		return
	}
	v.Graded++
	if *correct {
		v.Correct++
	}
}

func plusOne[K comparable](counts map[K]int, key K) map[K]int {
	if counts == nil {
		counts = map[K]int{}
	}
	counts[key]++
	return counts
}

func plusTokens(a, b job.Tokens) job.Tokens {
	return job.Tokens{
		VisualTotal: a.VisualTotal + b.VisualTotal, VisualKept: a.VisualKept + b.VisualKept,
		Prompt: a.Prompt + b.Prompt, Completion: a.Completion + b.Completion,
	}
}

func (s *summation) summary() workflows.Summary {
	for i := range s.variants {
		if v := &s.variants[i]; v.Graded > 0 {
			accuracy := float64(v.Correct) / float64(v.Graded)
			v.Accuracy = &accuracy
		}
	}
	return workflows.Summary{
		V: workflows.Version, Job: s.in.Job, State: s.in.State, Generation: s.in.Generation,
		Began: s.in.Progress.Began, Ended: time.Now().UTC().Format(time.RFC3339),
		Items: s.in.Items, Stages: s.tally, Variants: s.variants,
	}
}
