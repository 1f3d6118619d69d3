package diskcache

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"golang.org/x/sys/unix"
)

// Names in the folder beside those of objects, which are their digests.
const (
	lockName   = "lock"
	partPrefix = "part-" // of files being written
)

// folder is files named by their digests, the least recently used of which go first.
type folder struct {
	dir   string
	limit int64 // bytes of all files
	lock  *os.File

	mu     sync.Mutex
	held   int64                         // bytes of all files, those being written included
	files  *simplelru.LRU[string, int64] // size by name; a file that leaves it is unlinked
	resume time.Time                     // nothing is written before
}

func openFolder(dir string, limit int64) (*folder, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	lock, err := os.OpenFile(filepath.Join(dir, lockName), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		lock.Close()
		return nil, fmt.Errorf("%s is another process's: give every process a folder of its own", dir)
	}
	f := &folder{dir: dir, limit: limit, lock: lock}
	f.files, err = simplelru.NewLRU(math.MaxInt, f.unlink)
	if err == nil {
		err = f.adopt()
	}
	if err != nil {
		lock.Close()
		return nil, err
	}
	return f, nil
}

func (f *folder) close() { _ = f.lock.Close() }

// adopt takes over the files that are there, the oldest as the least recently
// used, and removes what was never finished.
func (f *folder) adopt() error {
	found, err := os.ReadDir(f.dir)
	if err != nil {
		return err
	}
	var files []fs.FileInfo
	for _, one := range found {
		info, err := one.Info()
		switch {
		case err != nil || one.Name() == lockName || !info.Mode().IsRegular():
		case strings.HasPrefix(one.Name(), partPrefix):
			_ = os.Remove(f.path(one.Name()))
		default:
			files = append(files, info)
		}
	}
	slices.SortFunc(files, func(a, b fs.FileInfo) int { return cmp.Compare(a.ModTime().UnixNano(), b.ModTime().UnixNano()) })
	for _, info := range files {
		f.add(info.Name(), info.Size())
	}
	f.evict(0)
	return nil
}

func (f *folder) path(name string) string { return filepath.Join(f.dir, name) }

// read returns the content of a file that is there, and what its name says.
func (f *folder) read(name string) (content []byte, ok bool) {
	f.mu.Lock()
	_, ok = f.files.Get(name)
	f.mu.Unlock()
	if !ok {
		return nil, false
	}
	content, err := os.ReadFile(f.path(name))
	if err != nil || digest(content) != name {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.files.Remove(name)
		return nil, false
	}
	now := time.Now()
	_ = os.Chtimes(f.path(name), now, now) // for the next process
	return content, true
}

func digest(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// write stores content, and makes room for it first. While the folder pauses, and
// where the file is there, it does nothing; an error begins a pause.
func (f *folder) write(name string, content []byte) error {
	size := int64(len(content))
	if !f.reserve(name, size) {
		return nil
	}
	err := f.writeFile(name, content)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.held -= size
	if err != nil {
		f.resume = time.Now().Add(pause)
		return err
	}
	f.add(name, size)
	return nil
}

// reserve counts size bytes as held, if they shall be written.
func (f *folder) reserve(name string, size int64) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.files.Contains(name) || time.Now().Before(f.resume) {
		return false
	}
	f.evict(size)
	if f.held+size > f.limit { // the rest is being written
		return false
	}
	f.held += size
	return true
}

// writeFile makes a file appear whole or not at all. After a crash of the machine its
// content is not certain, which its digest then tells.
func (f *folder) writeFile(name string, content []byte) error {
	part, err := os.CreateTemp(f.dir, partPrefix)
	if err != nil {
		return err
	}
	_, err = part.Write(content)
	err = errors.Join(err, part.Close())
	if err == nil {
		err = os.Rename(part.Name(), f.path(name))
	}
	if err != nil {
		_ = os.Remove(part.Name())
	}
	return err
}

// add notes a file as the last used; one that two wrote at once counts once.
func (f *folder) add(name string, size int64) {
	if !f.files.Contains(name) {
		f.files.Add(name, size)
		f.held += size
	}
}

// evict removes files until size more bytes fit, or none is left.
func (f *folder) evict(size int64) {
	for f.held+size > f.limit && f.files.Len() > 0 {
		f.files.RemoveOldest()
	}
}

// unlink is called for every file that is removed; who reads it now reads on.
func (f *folder) unlink(name string, size int64) {
	f.held -= size
	_ = os.Remove(f.path(name))
}
