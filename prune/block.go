package prune

import (
	"fmt"
	"sync"
)

// block is unit rows [n,d]: tokens over their norm, one after the other.
type block struct {
	data []float32
	d    int
}

// len is n.
func (b block) len() int { return len(b.data) / b.d }

// row is unit row 0 ≤ i < n.
func (b block) row(i int) []float32 { return b.data[i*b.d : (i+1)*b.d] }

// part is the n rows from first on.
func (b block) part(first, n int) block { return block{b.data[first*b.d : (first+n)*b.d], b.d} }

// partRows is how many unit rows are made before they are looked at: with what
// they are compared to, they fit the innermost cache (32 KB, at 1024 wide).
const partRows = 4

// borrow is the unit rows of the n tokens from first on, till they are given back.
// look sees all of them once, some rows at a time, at being the first one's place.
func (c *Clip) borrow(first, n int, look func(at int, rows block)) (block, error) {
	if c.kept || n == c.T*c.P {
		all, err := c.all()
		if err != nil {
			return block{}, err
		}
		b := all.part(first, n)
		look(0, b)
		return b, nil
	}
	b := block{c.rooms.take(n * c.D), c.D}
	for at := 0; at < n; at += partRows {
		rows := b.part(at, min(partRows, n-at))
		if err := c.unit(rows, first+at); err != nil {
			c.rooms.give(b.data)
			return block{}, err
		}
		look(at, rows)
	}
	return b, nil
}

// giveBack ends the use of what borrow gave.
func (c *Clip) giveBack(b block) {
	if !c.kept && b.len() < c.T*c.P {
		c.rooms.give(b.data)
	}
}

// whole is the unit rows of a clip [T·P,D], once somebody wants them.
type whole struct {
	once sync.Once
	block
	err error
}

// all is the unit rows of the clip, made on all cores where they are not there yet.
func (c *Clip) all() (block, error) {
	w := c.whole
	w.once.Do(func() {
		w.data = sized(w.data, c.T*c.P*c.D)
		bad := make([]error, c.T)
		spread(c.T, func(t int) { bad[t] = c.unit(w.part(t*c.P, c.P), t*c.P) })
		w.err = firstOf(bad)
	})
	return w.block, w.err
}

// row is unit row i, 0 ≤ i < T·P, of what all has made.
func (c *Clip) row(i int) []float32 { return c.whole.row(i) }

// unit sets b to the unit rows of the tokens from first on.
func (c *Clip) unit(b block, first int) error {
	for i := range b.len() {
		row := b.row(i)
		if !normalise(row, c.token(row, first+i)) {
			return fmt.Errorf("prune: token of frame %d, cell %d holds %w", (first+i)/c.P, (first+i)%c.P, ErrNotFinite)
		}
	}
	return nil
}

// firstOf is the first error there is.
func firstOf(errs []error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// rooms is memory for blocks, used again and again.
type rooms struct {
	mu   sync.Mutex
	free [][]float32
}

// take is n float32 of any value.
func (r *rooms) take(n int) []float32 {
	r.mu.Lock()
	defer r.mu.Unlock()
	last := len(r.free) - 1
	if last < 0 {
		return make([]float32, n)
	}
	room := r.free[last]
	r.free = r.free[:last]
	return sized(room, n)
}

func (r *rooms) give(room []float32) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.free = append(r.free, room)
}

// sized is n values in the memory of v, if it is enough.
func sized(v []float32, n int) []float32 {
	if cap(v) < n {
		return make([]float32, n)
	}
	return v[:n]
}
