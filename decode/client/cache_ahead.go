package client

import (
	"context"
	"slices"
)

// Remote is a Source that takes long to answer: what the child will ask for next
// is read while it works on what it has.
type Remote interface {
	Source
	// Transferred is how many bytes of ranges have come from afar until now,
	// those of reads that failed included.
	Transferred() int64
}

// aheadAfter is how many reads in a row must go forwards before one is made ahead:
// around a single frame there are fewer.
const aheadAfter = 2

// ahead is a read of what nobody has asked for yet.
type ahead struct {
	extent
	cancel context.CancelFunc
	done   chan struct{} // closed when err and the extent's bytes are there
	err    error
}

// lookAhead starts to read what follows e where a reader forwards has passed
// the middle of e, the last extent read, on its way to at.
func (c *cache) lookAhead(ctx context.Context, e extent, at int64) {
	if c.ahead != nil || c.forward < aheadAfter {
		return
	}
	known := slices.ContainsFunc(c.extents, func(e extent) bool { return e.has(c.next) })
	if e.end() != c.next || at < e.off+int64(len(e.data))/2 || c.next >= c.src.Size() || known {
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	a := &ahead{extent: c.blank(c.next), cancel: cancel, done: make(chan struct{})}
	c.ahead = a
	c.reading.Go(func() {
		defer close(a.done)
		a.err = c.src.ReadRange(ctx, a.data, a.off)
	})
}

// meet takes what was read ahead, and waits for it if off lies in it. A wrong guess
// is ended and not waited for, but kept if it is there already.
func (c *cache) meet(off int64) error {
	a := c.ahead
	if a == nil {
		return nil
	}
	c.ahead = nil
	defer a.cancel()
	if a.has(off) {
		<-a.done
		if a.err != nil {
			return a.err
		}
	}
	select {
	case <-a.done:
		if a.err == nil {
			c.keep(a.extent)
		}
	default:
	}
	return nil
}

// close ends reading ahead and returns how many bytes were read from the source.
func (c *cache) close() int64 {
	if c.ahead != nil {
		c.ahead.cancel()
	}
	c.reading.Wait()
	if c.far != nil {
		return c.far.Transferred() - c.before
	}
	return c.fetched
}
