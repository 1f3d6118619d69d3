package client

import (
	"bytes"
	"context"
	"math/rand/v2"
	"sync/atomic"
	"testing"
)

// counting is a Remote that counts how often, and how much of it, is read.
type counting struct {
	bytesSource
	reads, moved *atomic.Int64
}

func (s counting) Transferred() int64 { return s.moved.Load() }

func (s counting) ReadRange(ctx context.Context, p []byte, off int64) error {
	s.reads.Add(1)
	s.moved.Add(int64(len(p)))
	return s.bytesSource.ReadRange(ctx, p, off)
}

func countedSource(n int) counting {
	content := make([]byte, n)
	for i := range content {
		content[i] = byte(i * i >> 7)
	}
	return counting{bytesSource{content: content}, new(atomic.Int64), new(atomic.Int64)}
}

func TestCacheReadsWhatTheSourceHas(t *testing.T) {
	t.Parallel()
	src := countedSource(30 << 20)
	c := newCache(src)
	rng := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		off := rng.IntN(len(src.content))
		p := make([]byte, 1+rng.IntN(min(1<<20, len(src.content)-off)))
		if err := c.read(t.Context(), p, int64(off)); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(p, src.content[off:off+len(p)]) {
			t.Fatalf("%d bytes at %d differ", len(p), off)
		}
		if c.held > cacheBytes {
			t.Fatalf("%d bytes are held, at most %d may be", c.held, cacheBytes)
		}
	}
}

// Forwards in small pieces: every byte is fetched once, in few reads.
func TestCacheReadsAhead(t *testing.T) {
	t.Parallel()
	src := countedSource(20 << 20)
	c := newCache(src)
	for off := 0; off < len(src.content); off += 32 << 10 {
		if err := c.read(t.Context(), make([]byte, 32<<10), int64(off)); err != nil {
			t.Fatal(err)
		}
	}
	if fetched := c.close(); fetched != src.Size() {
		t.Errorf("%d bytes were fetched of %d", fetched, src.Size())
	}
	if n := src.reads.Load(); n > 9 { // 256 KiB doubled four times, then 4 MiB each
		t.Errorf("%d reads for 20 MiB", n)
	}
}

func TestCacheKeepsWhatWasUsedLast(t *testing.T) {
	t.Parallel()
	src := countedSource(64 << 20)
	c := newCache(src)
	p := make([]byte, 100)
	for i := range 40 { // the index at the start, between jumps
		for _, off := range []int64{0, int64(i) << 20} {
			if err := c.read(t.Context(), p, off); err != nil {
				t.Fatal(err)
			}
		}
	}
	if n := src.reads.Load(); n > 40 {
		t.Errorf("%d reads: the start was fetched again", n)
	}
}

// What is nearby is read as it is asked for.
func TestCacheLeavesNearSourcesAlone(t *testing.T) {
	t.Parallel()
	near := countedSource(1 << 20)
	c := newCache(struct{ Source }{near})
	p := make([]byte, 100)
	for _, off := range []int64{0, 5000, 0} {
		if err := c.read(t.Context(), p, off); err != nil || !bytes.Equal(p, near.content[off:off+100]) {
			t.Errorf("at %d: %v", off, err)
		}
	}
	if n := c.close(); n != 300 || near.reads.Load() != 3 {
		t.Errorf("%d bytes in %d reads, want 300 in 3", n, near.reads.Load())
	}
}
