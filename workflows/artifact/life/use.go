package life

import (
	"bytes"
	"context"
	"fmt"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/winnow-video/winnow/workflows/artifact"
)

// remembered is how many marks a process remembers to have made.
const remembered = 1 << 16

// Marking is a Store whose Stat marks the artifacts that it finds as used, once
// they have lain for MarkEvery. It is safe for concurrent use.
type Marking struct {
	artifact.Store
	marked *lru.Cache[artifact.Key, time.Time]
}

// Mark makes a Marking of store.
func Mark(store artifact.Store) *Marking {
	marked, err := lru.New[artifact.Key, time.Time](remembered)
	if err != nil {
		panic(err) // remembered is positive
	}
	return &Marking{store, marked}
}

// Stat implements artifact.Store. What it returns is marked.
func (m *Marking) Stat(ctx context.Context, key artifact.Key) (artifact.Ref, error) {
	ref, err := m.Store.Stat(ctx, key)
	if err != nil || time.Since(ref.Modified) < MarkEvery {
		return ref, err
	}
	source, kind, ok := key.Derived()
	if !ok {
		return ref, nil
	}
	return ref, m.mark(ctx, artifact.Mark(source, kind))
}

func (m *Marking) mark(ctx context.Context, mark artifact.Key) error {
	if at, ok := m.marked.Get(mark); ok && time.Since(at) < MarkEvery {
		return nil
	}
	if _, err := m.Put(ctx, mark, bytes.NewReader(nil), artifact.Replace); err != nil {
		return fmt.Errorf("mark as used: %w", err)
	}
	m.marked.Add(mark, time.Now())
	return nil
}
