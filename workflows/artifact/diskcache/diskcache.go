// Package diskcache is an artifact.Store that keeps what it reads from another
// one in a folder of bounded size.
//
// Every Get asks the Store behind it for the object's digest, and the folder
// names files by digest: what was deleted or made anew there is never read from
// here. A folder that is full, slow to answer or gone costs reads, never errors.
package diskcache

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/winnow-video/winnow/workflows/artifact"
)

// least is the size from which an object is kept, bytes: a smaller one costs
// about as much to ask for as to read.
const least = 64 << 10

// pause is how long nothing is written after a write failed.
const pause = time.Minute

// Cache is a Store whose Get reads a folder first. It is safe for concurrent use.
type Cache struct {
	artifact.Store
	folder *folder
	log    *slog.Logger
	watch  Watcher // nil: nobody
}

// Open keeps objects of behind in dir, at most limit bytes of them. It makes the
// folder, and takes over what an earlier process left there. The folder belongs
// to one process at a time: a second one is refused.
func Open(behind artifact.Store, dir string, limit int64, log *slog.Logger) (*Cache, error) {
	folder, err := openFolder(dir, limit)
	if err != nil {
		return nil, fmt.Errorf("cache: %w", err)
	}
	return &Cache{Store: behind, folder: folder, log: log}, nil
}

// Close lets another process have the folder.
func (c *Cache) Close() { c.folder.close() }

// Get implements artifact.Store.
func (c *Cache) Get(ctx context.Context, key artifact.Key) ([]byte, error) {
	ref, err := c.Stat(ctx, key)
	if err != nil {
		return nil, err
	}
	if ref.Size < least || ref.Size > c.folder.limit {
		return c.Store.Get(ctx, key)
	}
	content, hit := c.folder.read(ref.SHA256)
	if !hit {
		if content, err = c.Store.Get(ctx, key); err != nil {
			return nil, err
		}
		c.keep(content)
	}
	if c.watch != nil {
		c.watch.Read(hit, len(content))
	}
	return content, nil
}

// keep writes content to the folder, if it takes it.
func (c *Cache) keep(content []byte) {
	if err := c.folder.write(digest(content), content); err != nil {
		c.log.Warn("the cache takes nothing for a while, objects are read from storage", "pause", pause, "reason", err)
	}
}
