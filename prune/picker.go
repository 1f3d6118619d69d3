package prune

import (
	"cmp"
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
	block               // [n,D]
	relevance []float32 // [n]; nil unless the rule uses the query
}

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

// Even implements Policy.
func (p *picker) Even() bool { return p.scope != ScopeClip }

// Select implements Policy. Frames are chosen from side by side, one goroutine each.
func (p *picker) Select(c *Clip, query []float32) (*Selection, error) {
	s := &Selection{T: c.T, P: c.P}
	var q []float32
	if p.rule.usesQuery() {
		var err error
		if q, err = c.unitQuery(query); err != nil {
			_, bad := c.all() // of both, tokens are what is refused
			return nil, cmp.Or(bad, err)
		}
		s.Relevance = make([]float32, c.T*c.P)
	}
	n, count := p.scope.cut(c.T, c.P)
	picked, bad := make([][]pick, count), make([]error, count)
	spread(count, func(i int) {
		i = count - 1 - i // the frames made ready last may still be near
		g := group{index: i, n: n}
		if q != nil {
			g.relevance = s.Relevance[i*n : (i+1)*n]
		}
		picked[i], bad[i] = p.pick(c, g, q)
	})
	if err := firstOf(bad); err != nil {
		return nil, err
	}
	s.Kept = c.tokens(n, picked)
	return s, nil
}

// pick is the rows picked of g, ascending; g lacks its rows and their relevance to q.
func (p *picker) pick(c *Clip, g group, q []float32) ([]pick, error) {
	rows, err := c.borrow(g.index*g.n, g.n, func(at int, rows block) {
		if q != nil { // V̂·q̂
			sweep(q, rows.row, g.relevance[at:at+rows.len()])
		}
	})
	if err != nil {
		return nil, err
	}
	defer c.giveBack(rows)
	g.block = rows
	picks := p.rule.pick(g, budget(g.n, p.keep))
	slices.SortFunc(picks, func(a, b pick) int { return a.row - b.row })
	return picks, nil
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
