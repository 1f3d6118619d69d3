package prune

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Grid is how a frame's P tokens lie: Leading ones (a CLS) without a place, then
// Rows·Columns cells, row-major. It reads and prints as 12x12, or 24x24+1 with
// leading ones. Zero stands for the square grid that P tokens make.
type Grid struct {
	Rows, Columns int
	Leading       int
}

// String is the text that UnmarshalText reads.
func (g Grid) String() string {
	switch {
	case g == Grid{}:
		return ""
	case g.Leading == 0:
		return fmt.Sprintf("%dx%d", g.Rows, g.Columns)
	}
	return fmt.Sprintf("%dx%d+%d", g.Rows, g.Columns, g.Leading)
}

// MarshalText implements encoding.TextMarshaler.
func (g Grid) MarshalText() ([]byte, error) { return []byte(g.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (g *Grid) UnmarshalText(text []byte) error {
	cells, leading, leads := strings.Cut(string(text), "+")
	rows, columns, _ := strings.Cut(cells, "x")
	var read Grid
	var bad [3]error
	read.Rows, bad[0] = strconv.Atoi(rows)
	read.Columns, bad[1] = strconv.Atoi(columns)
	if leads {
		read.Leading, bad[2] = strconv.Atoi(leading)
	}
	if errors.Join(bad[:]...) != nil || read == (Grid{}) || !read.valid() {
		return fmt.Errorf("%q: want rows and columns like 12x12, or 24x24+1 where one token leads", text)
	}
	*g = read
	return nil
}

// valid says whether g is zero or of at least one cell.
func (g Grid) valid() bool {
	return g == Grid{} || g.Rows > 0 && g.Columns > 0 && g.Leading >= 0
}

// cell is the place among a frame's tokens of a row and column.
func (g Grid) cell(row, column int) int { return g.Leading + row*g.Columns + column }

// Of is g for frames of p tokens: itself, or the square if g is zero. A grid
// that p tokens do not make is an error.
func (g Grid) Of(p int) (Grid, error) {
	if g == (Grid{}) {
		side := 1
		for side*side < p {
			side++
		}
		if side*side != p {
			return g, fmt.Errorf("grid: a frame's %d tokens are no square: name rows and columns", p)
		}
		return Grid{Rows: side, Columns: side}, nil
	}
	// Sizes up to p cannot overflow their product.
	if g.Rows > p || g.Columns > p || g.Leading > p || g.Leading+g.Rows*g.Columns != p {
		return g, fmt.Errorf("grid: %v does not make a frame's %d tokens", g, p)
	}
	return g, nil
}

// coarser is the grid of at most cells > 0 cells that stands for g: of those that
// could take neither a row nor a column more, the one whose ratio of rows to
// columns is nearest g's, that of fewer rows where two are.
func (g Grid) coarser(cells int) Grid {
	var best Grid
	var bestOver, bestUnder int // the larger and the smaller side of a comparison of ratios
	for r := 1; r <= min(g.Rows, cells); r++ {
		c := min(g.Columns, cells/r)
		if r < g.Rows && (r+1)*c <= cells {
			continue
		}
		over, under := max(r*g.Columns, c*g.Rows), min(r*g.Columns, c*g.Rows)
		if best.Rows == 0 || over*bestUnder < bestOver*under {
			best, bestOver, bestUnder = Grid{Rows: r, Columns: c, Leading: g.Leading}, over, under
		}
	}
	return best
}
