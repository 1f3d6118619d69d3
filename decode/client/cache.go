package client

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
)

// A container is read in small pieces, mostly forwards: the cache turns them into
// few, longer reads of a Remote. Forwards, each is twice as long as the last. A
// source nearby is read as the child asks: the kernel has a cache of its own.
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

// cache reads a Remote through the extents used last, and ahead of its reader.
// It serves one reader.
type cache struct {
	src     Source
	far     Remote      // src, if it is one
	extents []extent    // most recently used last
	held    int         // bytes in them
	length  int64       // of the last read
	next    int64       // where the last read ended
	forward int         // reads in a row that began where the one before ended
	fetched int64       // bytes read from a source nearby
	waiting atomic.Bool // for the source

	ahead   *ahead         // what is being read ahead; nil: nothing
	reading sync.WaitGroup // ahead, also what is not wanted any more
	before  int64          // transferred by a Remote before this cache
}

func newCache(src Source) *cache {
	c := &cache{src: src, next: -1}
	if far, ok := src.(Remote); ok {
		c.far, c.before = far, far.Transferred()
	}
	return c
}

// read fills p from off, which must lie in the source.
func (c *cache) read(ctx context.Context, p []byte, off int64) error {
	if c.far == nil {
		c.fetched += int64(len(p))
		return c.src.ReadRange(ctx, p, off)
	}
	for len(p) > 0 {
		e, err := c.extentAt(ctx, off)
		if err != nil {
			return err
		}
		n := copy(p, e.from(off))
		p, off = p[n:], off+int64(n)
		c.lookAhead(ctx, e, off)
	}
	return nil
}

// extentAt is an extent that has off.
func (c *cache) extentAt(ctx context.Context, off int64) (extent, error) {
	if e, ok := c.have(off); ok {
		return e, nil
	}
	c.waiting.Store(true)
	defer c.waiting.Store(false)
	if err := c.meet(off); err != nil {
		return extent{}, err
	}
	if e, ok := c.have(off); ok {
		return e, nil
	}
	return c.load(ctx, off)
}

func (c *cache) have(off int64) (extent, bool) {
	i := slices.IndexFunc(c.extents, func(e extent) bool { return e.has(off) })
	if i < 0 {
		return extent{}, false
	}
	e := c.extents[i]
	c.extents = append(slices.Delete(c.extents, i, i+1), e)
	return e, true
}

func (c *cache) load(ctx context.Context, off int64) (extent, error) {
	e := c.blank(off)
	if err := c.src.ReadRange(ctx, e.data, off); err != nil {
		return extent{}, err
	}
	c.keep(e)
	return e, nil
}

// blank is the extent to read at off. It ends where one begins that is there already.
func (c *cache) blank(off int64) extent {
	length := min(c.nextLength(off), c.src.Size()-off)
	for _, e := range c.extents {
		if e.off > off {
			length = min(length, e.off-off)
		}
	}
	return extent{off: off, data: make([]byte, length)}
}

func (c *cache) nextLength(off int64) int64 {
	if off == c.next {
		return min(max(2*c.length, minFetch), maxFetch)
	}
	return minFetch
}

func (c *cache) keep(e extent) {
	if c.forward++; e.off != c.next {
		c.forward = 0
	}
	c.length, c.next = int64(len(e.data)), e.end()
	c.extents = append(c.extents, e)
	for c.held += len(e.data); c.held > cacheBytes; c.extents = c.extents[1:] {
		c.held -= len(c.extents[0].data)
	}
}
