// Package artifact is where tensors and records live: a Store of immutable
// objects under Keys that are digests of recipes, so that an output can be
// found before it, or its input, exists.
//
// Below it stand the media: s3store (S3), memstore (a map, for tests of pure
// logic) and storetest, the one suite both pass.
package artifact

import (
	"context"
	"errors"
	"io"
	"iter"
	"time"
)

// Key is an object's path below the bucket: slash-separated, never starting with one.
type Key string

// Ref is a stored object: its key, content digest and size.
type Ref struct {
	Key    Key    `json:"key"`
	SHA256 string `json:"sha256"` // hex
	Size   int64  `json:"size"`   // bytes

	Modified time.Time `json:"-"` // when it was stored, by the storage's clock; Stat and List tell
}

// What a Store's callers branch on.
var (
	ErrNotFound    = errors.New("no such object")
	ErrCorrupt     = errors.New("object differs from its digest") // it was deleted; make it again
	ErrUnavailable = errors.New("storage does not answer")        // capacity/unavailable: waiting helps
)

// Mode says what Put does when the key is taken.
type Mode int

// The modes of Put.
const (
	FirstWins Mode = iota // the stored object stays and is returned: artifacts, page records
	Replace               // the new one takes its place: results, summaries
)

// Store keeps objects. It is safe for concurrent use.
type Store interface {
	// Get returns the whole object, checked against its digest; ErrNotFound, ErrCorrupt.
	Get(ctx context.Context, key Key) ([]byte, error)
	// Stat returns what Get would read; ErrNotFound.
	Stat(ctx context.Context, key Key) (Ref, error)
	// Put stores body, read to its end from its start, and returns what is stored under key now.
	Put(ctx context.Context, key Key, body io.ReadSeeker, mode Mode) (Ref, error)
	// List yields the objects whose key begins with prefix, in key order. Refs of a listing hold no digest.
	List(ctx context.Context, prefix Key) iter.Seq2[Ref, error]
}

// Keeper is a Store whose objects can be removed.
type Keeper interface {
	Store
	// Remove deletes an object; one that is not there is no error.
	Remove(ctx context.Context, key Key) error
}
