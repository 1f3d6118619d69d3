package prune

import "slices"

// Policy chooses tokens of a clip. It is deterministic and safe for concurrent use.
type Policy interface {
	// Select chooses for the question whose vector is query [E]. E need not be
	// the clip's D. A policy that does not depend on the query takes nil.
	Select(clip *Clip, query []float32) (*Selection, error)
	// QueryDependent says whether another query could change the selection. If
	// not, all questions about a clip share one.
	QueryDependent() bool
	// Keeps is how many tokens Select keeps of t frames of p tokens each, whatever
	// is in them; 0 where it refuses such frames.
	Keeps(t, p int) int
	// Even says whether Select keeps as many tokens of every frame. Else what is in
	// them decides how many each frame has left.
	Even() bool
}

// Selection is what a policy kept of a clip of T frames with P tokens each.
type Selection struct {
	T, P int
	Kept []Token // by frame, then cell, ascending
	// Relevance is the cosine of every token and the query, [T·P], -1…1; nil
	// where the policy does not look at the query.
	Relevance []float32
}

// Token is one kept token: where it stands and what it is made of.
type Token struct {
	Frame   int      // 0 ≤ Frame < T
	Cell    int      // 0 ≤ Cell < P, row-major on the encoder's grid
	Score   float32  // what the rule took it for, in the rule's own measure; 0 where it compares none
	Sources []Source // one of weight 1 is a pick; a merged token has more, Frame and Cell among them
}

// Source is a row of the clip's tokens and its weight in a kept token.
type Source struct {
	Row    int // frame·P + cell
	Weight float32
}

// merges says whether a kept token is made of more than a pick.
func (s *Selection) merges() bool {
	return slices.ContainsFunc(s.Kept, func(k Token) bool { return len(k.Sources) > 1 })
}

// Rows is where the kept tokens stand among all T·P, ascending: [M]. A merged
// token stands at its Frame and Cell.
func (s *Selection) Rows() []int {
	rows := make([]int, len(s.Kept))
	for i, k := range s.Kept {
		rows[i] = k.Frame*s.P + k.Cell
	}
	return rows
}
