package client

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/winnow-video/winnow/workers/source"
)

// far is a Remote whose reads at some offsets wait to be let go, or for their end.
type far struct {
	counting
	held  map[int64]chan struct{}
	begun chan int64 // offsets of held reads
	ended chan int64 // those that ended by ctx
}

func farSource(n int, held ...int64) *far {
	f := &far{counting: countedSource(n), held: map[int64]chan struct{}{}, begun: make(chan int64, 8), ended: make(chan int64, 8)}
	for _, off := range held {
		f.held[off] = make(chan struct{})
	}
	return f
}

func (f *far) ReadRange(ctx context.Context, p []byte, off int64) error {
	if wait, ok := f.held[off]; ok {
		f.begun <- off
		select {
		case <-wait:
		case <-ctx.Done():
			f.ended <- off
			return ctx.Err()
		}
	}
	f.moved.Add(int64(len(p)))
	return f.bytesSource.ReadRange(ctx, p, off)
}

// readForward reads from one offset to another in small pieces, and looks at the bytes.
func readForward(t *testing.T, c *cache, content []byte, from, to int) {
	t.Helper()
	const step = 32 << 10
	for off := from; off < to; off += step {
		p := make([]byte, min(step, to-off))
		if err := c.read(t.Context(), p, int64(off)); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(p, content[off:off+len(p)]) {
			t.Fatalf("%d bytes at %d differ", len(p), off)
		}
	}
}

// Three reads forwards end here; the next begins here, ahead.
const firstAhead = minFetch + 2*minFetch + 4*minFetch

func TestReadsAheadOfAReaderForwards(t *testing.T) {
	t.Parallel()
	src := farSource(20<<20, firstAhead)
	c := newCache(src)
	readForward(t, c, src.content, 0, firstAhead)
	if off := <-src.begun; off != firstAhead { // begun before anybody asked
		t.Errorf("read ahead at %d", off)
	}
	if c.waiting.Load() {
		t.Error("nobody waits for what is read ahead")
	}
	close(src.held[firstAhead])
	readForward(t, c, src.content, firstAhead, len(src.content))
	if fetched := c.close(); fetched != src.Size() {
		t.Errorf("%d bytes were fetched of %d", fetched, src.Size())
	}
}

func TestReaderWaitsForWhatIsReadAhead(t *testing.T) {
	t.Parallel()
	src := farSource(20<<20, firstAhead)
	c := newCache(src)
	readForward(t, c, src.content, 0, firstAhead)
	<-src.begun
	p, read := make([]byte, 100), make(chan error)
	go func() { read <- c.read(t.Context(), p, firstAhead+1) }()
	for !c.waiting.Load() { // its time is not the child's
		time.Sleep(time.Millisecond)
	}
	close(src.held[firstAhead])
	if err := <-read; err != nil || !bytes.Equal(p, src.content[firstAhead+1:][:100]) {
		t.Errorf("%v, or other bytes", err)
	}
	c.close()
}

func TestSeekDoesNotWaitForWhatIsReadAhead(t *testing.T) {
	t.Parallel()
	src := farSource(20<<20, firstAhead)
	c := newCache(src)
	readForward(t, c, src.content, 0, firstAhead)
	<-src.begun
	readForward(t, c, src.content, 15<<20, 15<<20+100) // would hang if it waited
	if off := <-src.ended; off != firstAhead {
		t.Errorf("the read at %d was ended", off)
	}
	if fetched := c.close(); fetched != firstAhead+minFetch {
		t.Errorf("%d bytes were fetched, want %d", fetched, firstAhead+minFetch)
	}
}

func TestCloseEndsReadingAhead(t *testing.T) {
	t.Parallel()
	src := farSource(20<<20, firstAhead)
	c := newCache(src)
	readForward(t, c, src.content, 0, firstAhead)
	<-src.begun
	if fetched := c.close(); fetched != firstAhead {
		t.Errorf("%d bytes were fetched, want %d", fetched, firstAhead)
	}
	if off := <-src.ended; off != firstAhead {
		t.Errorf("the read at %d was ended", off)
	}
}

func TestFailureOfReadingAheadIsTheReaders(t *testing.T) {
	t.Parallel()
	src := farSource(20<<20, firstAhead)
	ctx, end := context.WithCancel(t.Context())
	c := newCache(src)
	for off := int64(0); off < firstAhead; off += minFetch {
		if err := c.read(ctx, make([]byte, minFetch), off); err != nil {
			t.Fatal(err)
		}
	}
	<-src.begun
	end()
	if err := c.read(ctx, make([]byte, 1), firstAhead); !errors.Is(err, context.Canceled) {
		t.Errorf("error = %v", err)
	}
	c.close()
}

func TestLocalFileIsNotReadAhead(t *testing.T) {
	t.Parallel()
	src := farSource(20 << 20)
	c := newCache(struct{ Source }{src}) // no Remote
	readForward(t, c, src.content, 0, firstAhead)
	if fetched := c.close(); fetched != firstAhead {
		t.Errorf("%d bytes were fetched, want %d", fetched, firstAhead)
	}
}

func TestReadEndsWhereTheKnownBegins(t *testing.T) {
	t.Parallel()
	src := countedSource(4 << 20)
	c := newCache(src)
	readForward(t, c, src.content, 2<<20, 2<<20+100)
	readForward(t, c, src.content, 2<<20-1000, 2<<20+1000)
	if fetched := c.close(); fetched != minFetch+1000 {
		t.Errorf("%d bytes were fetched, want %d", fetched, minFetch+1000)
	}
}

// web serves a file by range and counts what it sends.
type web struct {
	path string
	sent atomic.Int64
}

func (s *web) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("ETag", `"v1"`)
	http.ServeFile(sending{w, &s.sent}, r, s.path)
}

type sending struct {
	http.ResponseWriter
	sent *atomic.Int64
}

func (s sending) Write(p []byte) (int, error) {
	n, err := s.ResponseWriter.Write(p)
	s.sent.Add(int64(n))
	return n, err
}

func TestFewFramesOfALongFilmFetchLittle(t *testing.T) {
	t.Parallel()
	const size, frames = 2 << 30, 8
	site := &web{path: filepath.Join(t.TempDir(), "film.mp4")}
	if err := os.WriteFile(site.path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(site.path, size); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewTLSServer(site)
	defer server.Close()
	src, err := source.Opener{HTTPS: server.Client(), Scratch: t.TempDir()}.Open(t.Context(), server.URL, size)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	c := newCache(src)
	if _, ok := c.src.(Remote); !ok {
		t.Fatal("what comes over HTTPS is not read ahead")
	}
	piece := make([]byte, 32<<10)
	for i := range int64(frames) {
		for part := range int64(8) { // a quarter of a megabyte around each
			if err := c.read(t.Context(), piece, i*(size/frames)+part*int64(len(piece))+17); err != nil {
				t.Fatal(err)
			}
		}
	}
	fetched := c.close()
	if sent := site.sent.Load() - 1; sent != fetched { // the first byte was the opening's
		t.Errorf("%d bytes were sent, %d counted", sent, fetched)
	}
	if most := int64(frames * 3 * minFetch); fetched > most {
		t.Errorf("%d bytes were fetched, want %d at most", fetched, most)
	}
}
