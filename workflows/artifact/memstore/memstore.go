// Package memstore is an artifact.Store in memory, for tests of logic that has
// no business with S3. It passes the same suite as s3store.
package memstore

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/winnow-video/winnow/workflows/artifact"
)

// Store is a map of objects. The zero Store is not usable: call New.
type Store struct {
	mu      sync.Mutex
	objects map[artifact.Key]object
}

type object struct {
	body     []byte
	sha256   string
	modified time.Time
}

// New makes an empty Store.
func New() *Store {
	return &Store{objects: map[artifact.Key]object{}}
}

// Get implements artifact.Store.
func (s *Store) Get(ctx context.Context, key artifact.Key) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o, err := s.find(ctx, key)
	if err != nil {
		return nil, err
	}
	if digest(o.body) != o.sha256 {
		delete(s.objects, key)
		return nil, fmt.Errorf("get %s: %w", key, artifact.ErrCorrupt)
	}
	return bytes.Clone(o.body), nil
}

// Stat implements artifact.Store.
func (s *Store) Stat(ctx context.Context, key artifact.Key) (artifact.Ref, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o, err := s.find(ctx, key)
	if err != nil {
		return artifact.Ref{}, err
	}
	return o.ref(key), nil
}

// Put implements artifact.Store.
func (s *Store) Put(ctx context.Context, key artifact.Key, body io.ReadSeeker, mode artifact.Mode) (artifact.Ref, error) {
	if _, err := body.Seek(0, io.SeekStart); err != nil {
		return artifact.Ref{}, fmt.Errorf("put %s: %w", key, err)
	}
	content, err := io.ReadAll(body)
	if err != nil {
		return artifact.Ref{}, fmt.Errorf("put %s: %w", key, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if o, err := s.find(ctx, key); err == nil && mode == artifact.FirstWins {
		return o.ref(key), nil
	}
	o := object{body: content, sha256: digest(content), modified: time.Now()}
	s.objects[key] = o
	ref := o.ref(key)
	ref.Modified = time.Time{}
	return ref, ctx.Err()
}

// List implements artifact.Store.
func (s *Store) List(ctx context.Context, prefix artifact.Key) iter.Seq2[artifact.Ref, error] {
	return func(yield func(artifact.Ref, error) bool) {
		for _, ref := range s.listing(prefix) {
			if err := ctx.Err(); err != nil {
				yield(artifact.Ref{}, err)
				return
			}
			if !yield(ref, nil) {
				return
			}
		}
	}
}

// Age makes an object as old as if it had been stored so long ago.
func (s *Store) Age(ctx context.Context, key artifact.Key, age time.Duration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	o, err := s.find(ctx, key)
	if err != nil {
		return err
	}
	o.modified = time.Now().Add(-age)
	s.objects[key] = o
	return nil
}

// Remove implements artifact.Keeper.
func (s *Store) Remove(ctx context.Context, key artifact.Key) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.objects, key)
	return ctx.Err()
}

// Damage overwrites an object's bytes behind the Store's back, as a failing disk would.
func (s *Store) Damage(key artifact.Key, body []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.objects[key] = object{body: bytes.Clone(body), sha256: s.objects[key].sha256}
}

// listing is taken in one moment, so that who ranges over it may call the Store.
func (s *Store) listing(prefix artifact.Key) []artifact.Ref {
	s.mu.Lock()
	defer s.mu.Unlock()
	var refs []artifact.Ref
	for _, key := range slices.Sorted(maps.Keys(s.objects)) {
		if strings.HasPrefix(string(key), string(prefix)) {
			ref := s.objects[key].ref(key)
			ref.SHA256 = ""
			refs = append(refs, ref)
		}
	}
	return refs
}

func (s *Store) find(ctx context.Context, key artifact.Key) (object, error) {
	if err := ctx.Err(); err != nil {
		return object{}, err
	}
	o, ok := s.objects[key]
	if !ok {
		return object{}, fmt.Errorf("%s: %w", key, artifact.ErrNotFound)
	}
	return o, nil
}

func (o object) ref(key artifact.Key) artifact.Ref {
	return artifact.Ref{Key: key, SHA256: o.sha256, Size: int64(len(o.body)), Modified: o.modified}
}

func digest(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}
