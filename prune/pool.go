package prune

import "fmt"

// pool averages every frame down to a coarser grid: what a smaller input or a
// wider stride would have cost the same, whatever the scope and the question. Of
// the grid [h,w] it makes the [h′,w′] that Grid.coarser finds for the budget of a
// frame; cell [i,j] of it is the mean of the tokens, as they are, of the window
//
//	⌊i·h/h′⌋ … ⌈(i+1)·h/h′⌉ × ⌊j·w/w′⌋ … ⌈(j+1)·w/w′⌉
//
// (adaptive average pooling), all weights equal. Its Cell is the one nearest the
// window's middle, the upper and left one of equals. Leading tokens are kept as
// they are and count against the budget, but the grid has one cell at least. No
// token is scored. A frame keeps what fits the aspect, so up to a fifth less than
// its budget is usual: 20 of 22 from 12×12. Cost: O(T·P).
type pool struct {
	grid Grid
	keep float64
}

func newPool(o Options) Policy { return pool{o.Grid, o.Keep} }

// QueryDependent implements Policy.
func (pool) QueryDependent() bool { return false }

// Keeps implements Policy.
func (p pool) Keeps(frames, tokens int) int {
	_, small, err := p.grids(tokens)
	if err != nil {
		return 0
	}
	return frames * (small.Leading + small.Rows*small.Columns)
}

// Even implements Policy.
func (pool) Even() bool { return true }

// grids is the grid of a frame's tokens and the one it is pooled to.
func (p pool) grids(tokens int) (grid, small Grid, err error) {
	if grid, err = p.grid.Of(tokens); err != nil {
		return grid, small, fmt.Errorf("prune: %w", err)
	}
	return grid, grid.coarser(max(1, budget(tokens, p.keep)-grid.Leading)), nil
}

// Select implements Policy.
func (p pool) Select(c *Clip, _ []float32) (*Selection, error) {
	if _, err := c.all(); err != nil {
		return nil, err
	}
	grid, small, err := p.grids(c.P)
	if err != nil {
		return nil, err
	}
	return &Selection{T: c.T, P: c.P, Kept: repeat(pooledFrame(grid, small), c.T, c.P)}, nil
}

// pooledFrame is frame 0 of grid, pooled to small.
func pooledFrame(grid, small Grid) []Token {
	var tokens []Token
	var sources []Source // of all tokens
	add := func(cell, first int) {
		tokens = append(tokens, Token{Cell: cell, Sources: sources[first:len(sources):len(sources)]})
	}
	for cell := range grid.Leading {
		sources = append(sources, Source{Row: cell, Weight: 1})
		add(cell, cell)
	}
	for i := range small.Rows {
		rows := windowOf(i, grid.Rows, small.Rows)
		for j := range small.Columns {
			columns, first := windowOf(j, grid.Columns, small.Columns), len(sources)
			sources = grid.appendMean(sources, rows, columns)
			add(grid.cell(rows.middle(), columns.middle()), first)
		}
	}
	return tokens
}

// appendMean appends the cells of rows × columns, weighted equally.
func (g Grid) appendMean(sources []Source, rows, columns window) []Source {
	weight := 1 / float32((rows.to-rows.from)*(columns.to-columns.from))
	for r := rows.from; r < rows.to; r++ {
		for c := columns.from; c < columns.to; c++ {
			sources = append(sources, Source{Row: g.cell(r, c), Weight: weight})
		}
	}
	return sources
}

// repeat is the tokens of frame 0 for each of t frames of p tokens.
func repeat(frame []Token, t, p int) []Token {
	n := 0
	for _, token := range frame {
		n += len(token.Sources)
	}
	kept, sources := make([]Token, 0, t*len(frame)), make([]Source, 0, t*n)
	for f := range t {
		for _, token := range frame {
			first := len(sources)
			for _, s := range token.Sources {
				sources = append(sources, Source{Row: f*p + s.Row, Weight: s.Weight})
			}
			kept = append(kept, Token{Frame: f, Cell: token.Cell, Sources: sources[first:len(sources):len(sources)]})
		}
	}
	return kept
}
