package source

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
)

// Memo remembers the digests of local files, in a file of its own, one JSON
// object a line. A file is the same while path, size, time of change and inode
// are. It is safe for concurrent use; several processes may share the file.
type Memo struct {
	path string
	mu   sync.Mutex
	seen map[stamp]string
}

// stamp is what stays the same while a file does.
type stamp struct {
	Path  string `json:"path"`
	Size  int64  `json:"size"`
	MTime int64  `json:"mtime_ns"`
	Inode uint64 `json:"inode"`
}

type memoLine struct {
	stamp
	SHA256 string `json:"sha256"`
}

// OpenMemo reads the memo at path, which need not exist. Lines it cannot read are ignored:
// losing one costs a digest.
func OpenMemo(path string) (*Memo, error) {
	m := &Memo{path: path, seen: map[stamp]string{}}
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return m, os.MkdirAll(filepath.Dir(path), 0o700)
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		var l memoLine
		if json.Unmarshal(lines.Bytes(), &l) == nil && len(l.SHA256) == sha256.Size*2 {
			m.seen[l.stamp] = l.SHA256
		}
	}
	return m, lines.Err()
}

// digest is the SHA-256 of file, which carries stamp s.
func (m *Memo) digest(ctx context.Context, file io.Reader, s stamp) (string, error) {
	m.mu.Lock()
	known, ok := m.seen[s]
	m.mu.Unlock()
	if ok {
		return known, nil
	}
	digest, err := digestOf(ctx, file)
	if err != nil {
		return "", err
	}
	return digest, m.note(memoLine{s, digest})
}

func (m *Memo) note(l memoLine) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.seen[l.stamp] = l.SHA256
	text, err := json.Marshal(l)
	if err != nil {
		return err
	}
	file, err := os.OpenFile(m.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(append(text, '\n'))
	return errors.Join(err, file.Close())
}

func digestOf(ctx context.Context, r io.Reader) (string, error) {
	sum := sha256.New()
	if _, err := io.CopyBuffer(sum, reader{ctx, r}, make([]byte, 1<<20)); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// reader stops with its caller: a read belongs to one call and ends with it.
type reader struct {
	ctx context.Context
	io.Reader
}

func (r reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}

func stampOf(path string, info fs.FileInfo) stamp {
	s := stamp{Path: path, Size: info.Size(), MTime: info.ModTime().UnixNano()}
	if sys, ok := info.Sys().(*syscall.Stat_t); ok {
		s.Inode = sys.Ino
	}
	return s
}
