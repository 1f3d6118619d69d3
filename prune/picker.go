package prune

import (
	"fmt"
	"slices"
)

// rule chooses rows of one group. What makes methods differ is here; groups,
// budgets, relevance and cores are the picker's.
type rule interface {
	// usesQuery says whether pick reads group.relevance.
	usesQuery() bool
	// pick returns k distinct rows of g in any order, 0 < k ≤ g.n.
	pick(g group, k int) []pick
}

// pick is a row of a group and what it was taken for.
type pick struct {
	row   int
	score float32
}

// unscored are picks of rows that were not compared.
func unscored(rows []int) []pick {
	picks := make([]pick, len(rows))
	for i, r := range rows {
		picks[i].row = r
	}
	return picks
}

// group is what one selection chooses from: n consecutive rows of a clip. A
// group's rows are numbered from 0.
type group struct {
	index     int // of the group in its clip
	n         int
	d         int
	unit      []float32 // [n,d]
	relevance []float32 // [n]; nil unless the rule uses the query
}

// row is unit row i.
func (g group) row(i int) []float32 { return g.unit[i*g.d : (i+1)*g.d] }

// picker is the Policy of every rule that keeps tokens as they are, group by group.
type picker struct {
	rule  rule
	keep  float64
	scope Scope
}

func newPicker(o Options, r rule) Policy { return &picker{rule: r, keep: o.Keep, scope: o.Scope} }

// QueryDependent implements Policy.
func (p *picker) QueryDependent() bool { return p.rule.usesQuery() }

// Keeps implements Policy.
func (p *picker) Keeps(frames, tokens int) int {
	n, count := p.scope.cut(frames, tokens)
	return count * budget(n, p.keep)
}

// Select implements Policy. Frames are chosen from side by side, one goroutine each.
func (p *picker) Select(c *Clip, query []float32) (*Selection, error) {
	s := &Selection{T: c.T, P: c.P}
	var q []float32
	if p.rule.usesQuery() {
		var err error
		if q, err = c.unitQuery(query); err != nil {
			return nil, err
		}
		s.Relevance = make([]float32, c.T*c.P)
	}
	groups := c.groups(p.scope, s.Relevance)
	picked := make([][]pick, len(groups))
	spread(len(groups), func(i int) {
		i = len(groups) - 1 - i // the rows made last may still be near
		g := groups[i]
		if q != nil { // V̂·q̂, here, so that the rows are near when they are picked from
			sweep(q, g.row, g.relevance)
		}
		picked[i] = p.rule.pick(g, budget(g.n, p.keep))
		slices.SortFunc(picked[i], func(a, b pick) int { return a.row - b.row })
	})
	s.Kept = c.tokens(groups[0].n, picked)
	return s, nil
}

// unitQuery is q̂ [D]: the query fitted to the clip's width, over its norm.
func (c *Clip) unitQuery(query []float32) ([]float32, error) {
	if len(query) == 0 {
		return nil, fmt.Errorf("prune: this method selects by a query, and the query is empty")
	}
	q := fit(query, c.D)
	if !normalise(q, q) {
		return nil, fmt.Errorf("prune: the query holds a NaN or an infinity")
	}
	return q, nil
}

// cut is how many tokens are in a group and how many groups there are, of t frames of p tokens.
func (s Scope) cut(t, p int) (n, count int) {
	if s == ScopeClip {
		return t * p, 1
	}
	return p, t
}

// groups cuts the clip by scope into groups of equal size.
func (c *Clip) groups(scope Scope, relevance []float32) []group {
	n, count := scope.cut(c.T, c.P)
	groups := make([]group, count)
	for i := range groups {
		groups[i] = group{index: i, n: n, d: c.D, unit: c.unit[i*n*c.D : (i+1)*n*c.D]}
		if relevance != nil {
			groups[i].relevance = relevance[i*n : (i+1)*n]
		}
	}
	return groups
}

// tokens lists the rows picked, ascending in every group of n, as kept tokens.
func (c *Clip) tokens(n int, picked [][]pick) []Token {
	total := 0
	for _, picks := range picked {
		total += len(picks)
	}
	kept, sources := make([]Token, 0, total), make([]Source, 0, total)
	for g, picks := range picked {
		for _, p := range picks {
			row := g*n + p.row
			sources = append(sources, Source{Row: row, Weight: 1})
			own := sources[len(sources)-1 : len(sources) : len(sources)]
			kept = append(kept, Token{Frame: row / c.P, Cell: row % c.P, Score: p.score, Sources: own})
		}
	}
	return kept
}
