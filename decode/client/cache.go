package client

import (
	"context"
	"slices"
	"sync/atomic"
)

// A container is read in small pieces, mostly forwards: the cache turns them into
// few, longer reads of the source. Forwards, each is twice as long as the last.
const (
	minFetch   = 256 << 10
	maxFetch   = 4 << 20
	cacheBytes = 16 << 20
)

// extent is a stretch of the source that was read.
type extent struct {
	off  int64
	data []byte
}

func (e extent) end() int64           { return e.off + int64(len(e.data)) }
func (e extent) has(off int64) bool   { return e.off <= off && off < e.end() }
func (e extent) from(at int64) []byte { return e.data[at-e.off:] }

// cache reads a source through the extents used last. It serves one reader.
type cache struct {
	src     Source
	extents []extent    // most recently used last
	held    int         // bytes in them
	length  int64       // of the last read
	next    int64       // where the last read ended
	fetched int64       // bytes read from the source
	waiting atomic.Bool // for the source
}

func newCache(src Source) *cache { return &cache{src: src, next: -1} }

// read fills p from off, which must lie in the source.
func (c *cache) read(ctx context.Context, p []byte, off int64) error {
	for len(p) > 0 {
		e, err := c.extentAt(ctx, off)
		if err != nil {
			return err
		}
		n := copy(p, e.from(off))
		p, off = p[n:], off+int64(n)
	}
	return nil
}

// extentAt is an extent that has off.
func (c *cache) extentAt(ctx context.Context, off int64) (extent, error) {
	if i := slices.IndexFunc(c.extents, func(e extent) bool { return e.has(off) }); i >= 0 {
		e := c.extents[i]
		c.extents = append(slices.Delete(c.extents, i, i+1), e)
		return e, nil
	}
	return c.load(ctx, off)
}

func (c *cache) load(ctx context.Context, off int64) (extent, error) {
	c.length = c.nextLength(off)
	e := extent{off: off, data: make([]byte, min(c.length, c.src.Size()-off))}
	c.waiting.Store(true)
	err := c.src.ReadRange(ctx, e.data, off)
	c.waiting.Store(false)
	if err != nil {
		return extent{}, err
	}
	c.keep(e)
	return e, nil
}

func (c *cache) nextLength(off int64) int64 {
	if off == c.next {
		return min(2*c.length, maxFetch)
	}
	return minFetch
}

func (c *cache) keep(e extent) {
	c.fetched += int64(len(e.data))
	c.next = e.end()
	c.extents = append(c.extents, e)
	for c.held += len(e.data); c.held > cacheBytes; c.extents = c.extents[1:] {
		c.held -= len(c.extents[0].data)
	}
}
