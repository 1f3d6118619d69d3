package diskcache_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/winnow-video/winnow/workflows/artifact"
	"github.com/winnow-video/winnow/workflows/artifact/diskcache"
	"github.com/winnow-video/winnow/workflows/artifact/memstore"
	"github.com/winnow-video/winnow/workflows/artifact/storetest"
)

const size = 100 << 10 // of an object that is kept

func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) storetest.Subject {
		behind := memstore.New()
		cache := open(t, behind, t.TempDir(), 64<<20)
		return storetest.Subject{Store: cache, Damage: func(_ *testing.T, key artifact.Key, b []byte) { behind.Damage(key, b) }}
	})
}

// What the folder has is not read from storage again, by the next process neither.
func TestReadOnce(t *testing.T) {
	t.Parallel()
	behind := &counted{Store: memstore.New()}
	dir := t.TempDir()
	want := put(t, behind, "v1/a", size)
	for process := range 2 {
		cache := open(t, behind, dir, 1<<20)
		for range 3 {
			wantContent(t, cache, "v1/a", want)
		}
		if behind.gets != 1 {
			t.Errorf("process %d: read %d times from storage, want 1", process, behind.gets)
		}
		cache.Close()
	}
}

func TestSmallObjectsPass(t *testing.T) {
	t.Parallel()
	behind := memstore.New()
	dir := t.TempDir()
	want := put(t, behind, "v1/small", 1000)
	wantContent(t, open(t, behind, dir, 1<<20), "v1/small", want)
	if n, _ := held(t, dir); n != 0 {
		t.Errorf("%d files are kept of an object that costs as much to ask for", n)
	}
}

// Storage decides what there is: the folder is never older.
func TestFollowsStorage(t *testing.T) {
	t.Parallel()
	behind := memstore.New()
	cache := open(t, behind, t.TempDir(), 1<<20)
	put(t, behind, "results", size)
	if _, err := cache.Get(t.Context(), "results"); err != nil {
		t.Fatal(err)
	}
	again := put(t, behind, "results", size)
	wantContent(t, cache, "results", again)
	behind.Damage("results", []byte("rot"))
	if _, err := behind.Get(t.Context(), "results"); !errors.Is(err, artifact.ErrCorrupt) { // which deletes it
		t.Fatal(err)
	}
	if _, err := cache.Get(t.Context(), "results"); !errors.Is(err, artifact.ErrNotFound) {
		t.Errorf("Get of an object that storage no longer has: %v", err)
	}
}

func TestDamagedFile(t *testing.T) {
	t.Parallel()
	behind := &counted{Store: memstore.New()}
	dir := t.TempDir()
	cache := open(t, behind, dir, 1<<20)
	want := put(t, behind, "v1/a", size)
	wantContent(t, cache, "v1/a", want)
	for _, file := range files(t, dir) {
		if err := os.WriteFile(file, []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	wantContent(t, cache, "v1/a", want)
	wantContent(t, cache, "v1/a", want)
	if behind.gets != 2 {
		t.Errorf("read %d times from storage, want 2: once for the damage", behind.gets)
	}
}

// However many read at once, the folder stays within its limit, and the least
// recently used go first.
func TestBounded(t *testing.T) {
	t.Parallel()
	behind := &counted{Store: memstore.New()}
	dir := t.TempDir()
	const room = 5
	cache := open(t, behind, dir, room*size+1)
	for i := range 20 {
		put(t, behind, key(i), size)
	}
	var readers sync.WaitGroup
	for reader := range 8 {
		readers.Go(func() {
			order := rand.New(rand.NewPCG(uint64(reader), 1))
			for range 100 {
				if _, err := cache.Get(t.Context(), key(order.IntN(20))); err != nil {
					t.Error(err)
				}
				if _, bytes := held(t, dir); bytes > room*size+1 {
					t.Errorf("%d bytes lie in the folder, %d are allowed", bytes, room*size+1)
				}
			}
		})
	}
	readers.Wait()
	for i := range room {
		wantGet(t, cache, key(i))
	}
	before := behind.gets
	wantGet(t, cache, key(0))
	wantGet(t, cache, key(7)) // key(1) goes
	wantGet(t, cache, key(0))
	if behind.gets != before+1 {
		t.Errorf("%d reads from storage, want 1: of what was never kept", behind.gets-before)
	}
	wantGet(t, cache, key(1))
	if behind.gets != before+2 {
		t.Error("the least recently used was kept")
	}
}

func TestLeftovers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "part-123"), make([]byte, size), 0o600); err != nil {
		t.Fatal(err)
	}
	open(t, memstore.New(), dir, 1<<20)
	if n, _ := held(t, dir); n != 0 {
		t.Errorf("%d files of a killed process lie about", n)
	}
}

func TestOneProcess(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	open(t, memstore.New(), dir, 1<<20)
	_, err := diskcache.Open(memstore.New(), dir, 1<<20, slog.New(slog.DiscardHandler))
	if err == nil || !strings.Contains(err.Error(), "give every process a folder of its own") {
		t.Errorf("a second process: %v", err)
	}
}

// A folder that cannot be written costs reads, and one line.
func TestGone(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "cache")
	behind := memstore.New()
	var log bytes.Buffer
	cache, err := diskcache.Open(behind, dir, 1<<20, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		want := put(t, behind, key(i), size)
		wantContent(t, cache, key(i), want)
	}
	if lines := strings.Count(log.String(), "\n"); lines != 1 {
		t.Errorf("%d lines, want 1:\n%s", lines, log.String())
	}
}

func TestDiskFull(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const disk = 3 * size
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", disk)); err != nil {
		t.Skipf("a small disk cannot be mounted here: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	behind := memstore.New()
	cache := open(t, behind, dir, 1<<30)
	for i := range 10 {
		want := put(t, behind, key(i), size)
		wantContent(t, cache, key(i), want)
	}
	n, bytes := held(t, dir)
	if n == 0 || bytes%size != 0 {
		t.Errorf("%d files of %d bytes on the full disk, want whole ones", n, bytes)
	}
}

// counted counts what is read.
type counted struct {
	artifact.Store
	mu   sync.Mutex
	gets int
}

// Get implements artifact.Store.
func (c *counted) Get(ctx context.Context, key artifact.Key) ([]byte, error) {
	c.mu.Lock()
	c.gets++
	c.mu.Unlock()
	return c.Store.Get(ctx, key)
}

func open(t *testing.T, behind artifact.Store, dir string, limit int64) *diskcache.Cache {
	t.Helper()
	cache, err := diskcache.Open(behind, dir, limit, slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	return cache
}

var serial atomic.Int64

func key(i int) artifact.Key { return artifact.Key(fmt.Sprintf("v1/%d", i)) }

// put stores n random bytes, and returns them.
func put(t *testing.T, store artifact.Store, key artifact.Key, n int) []byte {
	t.Helper()
	content := make([]byte, n)
	source := rand.NewChaCha8([32]byte{byte(serial.Add(1))}) // never the same
	_, _ = source.Read(content)
	if _, err := store.Put(t.Context(), key, bytes.NewReader(content), artifact.Replace); err != nil {
		t.Fatal(err)
	}
	return content
}

func wantContent(t *testing.T, store artifact.Store, key artifact.Key, want []byte) {
	t.Helper()
	got, err := store.Get(t.Context(), key)
	if err != nil || !bytes.Equal(got, want) {
		t.Fatalf("Get %s: %d bytes (%v), want other %d", key, len(got), err, len(want))
	}
}

func wantGet(t *testing.T, store artifact.Store, key artifact.Key) {
	t.Helper()
	if _, err := store.Get(t.Context(), key); err != nil {
		t.Fatal(err)
	}
}

func files(t *testing.T, dir string) (paths []string) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

// held is how many objects lie in the folder, whole or not, and their bytes.
func held(t *testing.T, dir string) (n int, bytes int64) {
	t.Helper()
	for _, path := range files(t, dir) {
		info, err := os.Stat(path)
		if errors.Is(err, fs.ErrNotExist) || filepath.Base(path) == "lock" {
			continue
		}
		if err != nil {
			t.Error(err)
			continue
		}
		n, bytes = n+1, bytes+info.Size()
	}
	return n, bytes
}
