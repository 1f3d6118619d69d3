// Package storetest is the suite that every artifact.Store passes, and every
// artifact.Keeper.
package storetest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/winnow-video/winnow/workflows/artifact"
)

// Subject is a Store under test.
type Subject struct {
	Store  artifact.Store
	Prefix artifact.Key                                 // every key of the suite begins with it; nobody else writes there
	Damage func(t *testing.T, k artifact.Key, b []byte) // makes the stored bytes b and leaves the digest
}

// Run runs the suite, with a Subject of its own for every test.
func Run(t *testing.T, open func(t *testing.T) Subject) {
	tests := map[string]func(*testing.T, Subject){
		"round trip":       roundTrip,
		"first wins":       firstWins,
		"replace":          replace,
		"one winner of 32": oneWinner,
		"not found":        notFound,
		"corrupt":          corrupt,
		"list":             list,
		"list stops early": listStops,
		"canceled":         canceled,
		"read from start":  readFromStart,
		"modified":         modified,
		"remove":           remove,
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t))
		})
	}
}

func roundTrip(t *testing.T, s Subject) {
	for _, size := range []int{0, 1, 1000, 8 << 20, 17<<20 + 3} { // the last is where S3 clients begin to cut
		key := s.key(fmt.Sprintf("size/%d.bin", size))
		body := noise(size)
		want := artifact.Ref{Key: key, SHA256: digest(body), Size: int64(size)}
		put := s.put(t, key, body, artifact.FirstWins)
		stat, err := s.Store.Stat(t.Context(), key)
		if err != nil || timeless(put) != want || timeless(stat) != want {
			t.Errorf("%d bytes: put %v, stat %v (%v), want %v", size, put, stat, err, want)
		}
		if got := s.get(t, key); !bytes.Equal(got, body) {
			t.Errorf("%d bytes came back as %d others", size, len(got))
		}
	}
}

func firstWins(t *testing.T, s Subject) {
	key := s.key("taken")
	first := s.put(t, key, []byte("first"), artifact.FirstWins)
	second := s.put(t, key, []byte("the second"), artifact.FirstWins)
	if diff := cmp.Diff(timeless(first), timeless(second)); diff != "" {
		t.Errorf("the second writer adopted another object (-first +second):\n%s", diff)
	}
	if got := s.get(t, key); string(got) != "first" {
		t.Errorf("stored %q, want the first writer's", got)
	}
}

func replace(t *testing.T, s Subject) {
	key := s.key("replaced")
	s.put(t, key, []byte("old"), artifact.Replace)
	ref := s.put(t, key, []byte("new content"), artifact.Replace)
	if got := s.get(t, key); string(got) != "new content" || ref.SHA256 != digest(got) {
		t.Errorf("stored %q as %v, want the new content", got, ref)
	}
}

func oneWinner(t *testing.T, s Subject) {
	const writers = 32
	key := s.key("contended")
	refs := make([]artifact.Ref, writers)
	var wait sync.WaitGroup
	for i := range writers {
		wait.Go(func() { refs[i] = s.put(t, key, noise(1000+i), artifact.FirstWins) })
	}
	wait.Wait()
	stored := s.get(t, key)
	for i, ref := range refs {
		if ref.SHA256 != digest(stored) || ref.Size != int64(len(stored)) {
			t.Errorf("writer %d left with %v, while %d bytes of %s are stored", i, ref, len(stored), digest(stored))
		}
	}
}

func notFound(t *testing.T, s Subject) {
	if _, err := s.Store.Get(t.Context(), s.key("absent")); !errors.Is(err, artifact.ErrNotFound) {
		t.Errorf("Get of nothing: %v, want ErrNotFound", err)
	}
	if _, err := s.Store.Stat(t.Context(), s.key("absent")); !errors.Is(err, artifact.ErrNotFound) {
		t.Errorf("Stat of nothing: %v, want ErrNotFound", err)
	}
}

func corrupt(t *testing.T, s Subject) {
	key := s.key("damaged")
	s.put(t, key, []byte("0123456789"), artifact.FirstWins)
	for _, damage := range []string{"0123456780", "01234", ""} {
		s.Damage(t, key, []byte(damage))
		if _, err := s.Store.Get(t.Context(), key); !errors.Is(err, artifact.ErrCorrupt) {
			t.Errorf("Get of %q: %v, want ErrCorrupt", damage, err)
		}
		if _, err := s.Store.Stat(t.Context(), key); !errors.Is(err, artifact.ErrNotFound) {
			t.Errorf("Stat after %q was found out: %v, want ErrNotFound", damage, err)
		}
		s.put(t, key, []byte("0123456789"), artifact.FirstWins)
		if got := s.get(t, key); string(got) != "0123456789" {
			t.Errorf("made again as %q", got)
		}
	}
}

func list(t *testing.T, s Subject) {
	var want []artifact.Ref
	for i, name := range []string{"l/000000.jsonl", "l/000001.jsonl", "l/000002/a", "l/000010.jsonl", "l/b"} {
		want = append(want, artifact.Ref{Key: s.key(name), Size: int64(i)})
	}
	for _, i := range []int{3, 0, 4, 1, 2} {
		s.put(t, want[i].Key, noise(i), artifact.FirstWins)
	}
	s.put(t, s.key("m"), nil, artifact.FirstWins)
	if diff := cmp.Diff(want, s.list(t, "l/")); diff != "" {
		t.Errorf("listing (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want[:4], s.list(t, "l/0000")); diff != "" {
		t.Errorf("listing by half a name (-want +got):\n%s", diff)
	}
	if got := s.list(t, "nothing/"); len(got) > 0 {
		t.Errorf("listing of an empty prefix: %v", got)
	}
}

func remove(t *testing.T, s Subject) {
	keeper, ok := s.Store.(artifact.Keeper)
	if !ok {
		t.Skipf("%T removes nothing", s.Store)
	}
	key := s.key("removed")
	s.put(t, key, []byte("content"), artifact.FirstWins)
	for range 2 {
		if err := keeper.Remove(t.Context(), key); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Store.Stat(t.Context(), key); !errors.Is(err, artifact.ErrNotFound) {
		t.Errorf("Stat of what was removed: %v, want ErrNotFound", err)
	}
}

// modified tells when: the same in a listing, to the second.
func modified(t *testing.T, s Subject) {
	key := s.key("dated")
	before := time.Now().Add(-2 * time.Second) // clocks of storage tick in seconds
	s.put(t, key, nil, artifact.FirstWins)
	stat, err := s.Store.Stat(t.Context(), key)
	if err != nil || stat.Modified.Before(before) || stat.Modified.After(time.Now().Add(2*time.Second)) {
		t.Errorf("stored just now as modified %v (%v)", stat.Modified, err)
	}
	for listed, err := range s.Store.List(t.Context(), key) {
		if err != nil || !listed.Modified.Truncate(time.Second).Equal(stat.Modified.Truncate(time.Second)) {
			t.Errorf("listed as modified %v (%v), stat says %v", listed.Modified, err, stat.Modified)
		}
	}
}

// timeless is a Ref as Put returns it.
func timeless(ref artifact.Ref) artifact.Ref {
	ref.Modified = time.Time{}
	return ref
}

func listStops(t *testing.T, s Subject) {
	s.put(t, s.key("s/1"), nil, artifact.FirstWins)
	s.put(t, s.key("s/2"), nil, artifact.FirstWins)
	for ref, err := range s.Store.List(t.Context(), s.key("s/")) {
		if err != nil || ref.Key != s.key("s/1") {
			t.Errorf("first of the listing: %v, %v", ref, err)
		}
		break
	}
}

func canceled(t *testing.T, s Subject) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Store.Get(ctx, s.key("x")); !errors.Is(err, context.Canceled) {
		t.Errorf("Get: %v, want context.Canceled", err)
	}
	if _, err := s.Store.Put(ctx, s.key("x"), bytes.NewReader(nil), artifact.FirstWins); !errors.Is(err, context.Canceled) {
		t.Errorf("Put: %v, want context.Canceled", err)
	}
	for _, err := range s.Store.List(ctx, s.key("")) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("List: %v, want context.Canceled", err)
		}
	}
}

// readFromStart hands over a body that was read before.
func readFromStart(t *testing.T, s Subject) {
	body := bytes.NewReader([]byte("whole"))
	if _, err := io.CopyN(io.Discard, body, 3); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Store.Put(t.Context(), s.key("seek"), body, artifact.FirstWins); err != nil {
		t.Fatal(err)
	}
	if got := s.get(t, s.key("seek")); string(got) != "whole" {
		t.Errorf("stored %q, want all of the body", got)
	}
}

func (s Subject) key(name string) artifact.Key { return s.Prefix + artifact.Key(name) }

func (s Subject) put(t *testing.T, key artifact.Key, body []byte, mode artifact.Mode) artifact.Ref {
	t.Helper()
	ref, err := s.Store.Put(t.Context(), key, bytes.NewReader(body), mode)
	if err != nil {
		t.Errorf("put %s: %v", key, err)
	}
	return ref
}

func (s Subject) get(t *testing.T, key artifact.Key) []byte {
	t.Helper()
	body, err := s.Store.Get(t.Context(), key)
	if err != nil {
		t.Errorf("get %s: %v", key, err)
	}
	return body
}

func (s Subject) list(t *testing.T, prefix string) []artifact.Ref {
	t.Helper()
	var refs []artifact.Ref
	for ref, err := range s.Store.List(t.Context(), s.key(prefix)) {
		if err != nil {
			t.Fatal(err)
		}
		refs = append(refs, timeless(ref))
	}
	return refs
}

// noise is n bytes, the same for the same n.
func noise(n int) []byte {
	var seed [32]byte
	copy(seed[:], fmt.Sprint(n))
	body := make([]byte, n)
	_, _ = rand.NewChaCha8(seed).Read(body) // it never fails
	return body
}

func digest(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}
