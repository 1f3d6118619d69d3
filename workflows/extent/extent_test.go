package extent_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/winnow-video/winnow/workflows/artifact"
	"github.com/winnow-video/winnow/workflows/artifact/memstore"
	"github.com/winnow-video/winnow/workflows/extent"
	"github.com/winnow-video/winnow/workflows/job"
)

const id = "added-00000000.1"

// submitted is a job of one page with the items q0 and q1.
func submitted(t *testing.T) (*memstore.Store, extent.Extent) {
	t.Helper()
	store := memstore.New()
	pages, err := extent.Paginate(addition(0, 2).Items)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Put(t.Context(), artifact.Page(id, 0), strings.NewReader(string(pages[0])), artifact.FirstWins); err != nil {
		t.Fatal(err)
	}
	return store, extent.Extent{Pages: 1, Items: 2}
}

// addition is n items from number first on.
func addition(first, n int) extent.Addition {
	a := extent.Addition{File: "more.jsonl", Manifest: strings.NewReader(fmt.Sprint("lines from ", first))}
	for i := range n {
		a.Items = append(a.Items, job.Item{ID: fmt.Sprintf("q%d", first+i), Video: "/v.mp4", Question: "What?", Line: i + 1})
	}
	return a
}

func appended(t *testing.T, store artifact.Store, base extent.Extent, a extent.Addition, want bool) extent.Extent {
	t.Helper()
	e, added, err := extent.Append(t.Context(), store, id, base, a)
	if err != nil || added != want {
		t.Fatalf("Append: added %v, %v, want %v", added, err, want)
	}
	return e
}

// ids are those of all pages, in order.
func ids(t *testing.T, store artifact.Store, e extent.Extent) (all []string) {
	t.Helper()
	for page := range e.Pages {
		text, err := store.Get(t.Context(), artifact.Page(id, page))
		if err != nil {
			t.Fatal(err)
		}
		items, err := job.ReadLines[job.Item](text)
		if err != nil {
			t.Fatal(err)
		}
		for _, item := range items {
			all = append(all, item.ID)
		}
	}
	return all
}

func wantItems(t *testing.T, store artifact.Store, e extent.Extent, n int) {
	t.Helper()
	var want []string
	for i := range n {
		want = append(want, fmt.Sprintf("q%d", i))
	}
	if diff := cmp.Diff(want, ids(t, store, e)); diff != "" || e.Items != n {
		t.Errorf("%d items; ids (-want +got):\n%s", e.Items, diff)
	}
}

func TestAppend(t *testing.T) {
	t.Parallel()
	store, base := submitted(t)
	appended(t, store, base, addition(2, 501), true)
	e := appended(t, store, base, addition(503, 1), true)
	if want := (extent.Extent{Pages: 4, Items: 504, Parts: 2}); e != want {
		t.Errorf("%+v, want %+v", e, want)
	}
	wantItems(t, store, e, 504)
	if again := appended(t, store, base, addition(2, 501), false); again != e {
		t.Errorf("the same lines again: %+v, want %+v", again, e)
	}
	if read, err := extent.Read(t.Context(), store, id, base); err != nil || read != e {
		t.Errorf("Read: %+v, %v, want %+v", read, err, e)
	}
}

func TestDuplicatesAreNamed(t *testing.T) {
	t.Parallel()
	store, base := submitted(t)
	appended(t, store, base, addition(2, 3), true)
	_, _, err := extent.Append(t.Context(), store, id, base, addition(1, 2))
	want := "more.jsonl:1: id: \"q1\" is in the job already\nmore.jsonl:2: id: \"q2\" is in the job already"
	var twice extent.Duplicates
	if !errors.As(err, &twice) || err.Error() != want {
		t.Errorf("error %v, want\n%s", err, want)
	}
	if e, err := extent.Read(t.Context(), store, id, base); err != nil || e.Items != 5 {
		t.Errorf("after it %+v, %v, want the 5 items there were", e, err)
	}
}

func TestClosed(t *testing.T) {
	t.Parallel()
	store, base := submitted(t)
	appended(t, store, base, addition(2, 1), true)
	for range 2 {
		if e, err := extent.Close(t.Context(), store, id, base); err != nil || !e.Closed || e.Items != 3 {
			t.Errorf("Close: %+v, %v, want it closed with 3 items", e, err)
		}
	}
	if _, _, err := extent.Append(t.Context(), store, id, base, addition(3, 1)); !errors.Is(err, extent.ErrClosed) {
		t.Errorf("Append: %v, want ErrClosed", err)
	}
	appended(t, store, base, addition(2, 1), false) // it is in
}

// cut is a store that fails every write after some, as those of a killed program are never made.
type cut struct {
	*memstore.Store
	mu   sync.Mutex
	left int
}

var errKilled = errors.New("killed")

func (c *cut) Put(ctx context.Context, key artifact.Key, body io.ReadSeeker, mode artifact.Mode) (artifact.Ref, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.left == 0 {
		return artifact.Ref{}, errKilled
	}
	c.left--
	return c.Store.Put(ctx, key, body, mode)
}

// Wherever adding is killed, the lines belong to the job or they do not; others can
// be added after it, and the same ones again, once in all.
func TestKilledHalfway(t *testing.T) {
	t.Parallel()
	whole := false
	for writes := 0; !whole; writes++ {
		store, base := submitted(t)
		_, _, err := extent.Append(t.Context(), &cut{Store: store, left: writes}, id, base, addition(2, 501))
		whole = err == nil
		if err != nil && !errors.Is(err, errKilled) {
			t.Fatal(err)
		}
		e, err := extent.Settle(t.Context(), store, id, base)
		if err != nil || e.Items != 2 && e.Items != 503 {
			t.Fatalf("killed after %d writes: %+v, %v, want 2 or 503 items", writes, e, err)
		}
		wantItems(t, store, e, e.Items)
		appended(t, store, base, addition(1000, 1), true)
		e = appended(t, store, base, addition(2, 501), e.Items == 2)
		if got := ids(t, store, e); e.Items != 504 || len(got) != 504 {
			t.Errorf("killed after %d writes and repeated: %+v and %d ids, want 504", writes, e, len(got))
		}
	}
}

// Of two that add at once both are in, unless they have an id in common: then one is.
func TestSideBySide(t *testing.T) {
	t.Parallel()
	store, base := submitted(t)
	var group sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		group.Go(func() { _, _, errs[i] = extent.Append(t.Context(), store, id, base, addition(2+i, 2)) })
	}
	group.Wait()
	e, err := extent.Read(t.Context(), store, id, base)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, one := range ids(t, store, e) {
		if seen[one] {
			t.Errorf("%s is in the job twice", one)
		}
		seen[one] = true
	}
	in := 0
	for i, err := range errs {
		var twice extent.Duplicates
		switch {
		case err == nil:
			in++
		case !errors.As(err, &twice):
			t.Errorf("addition %d: %v", i, err)
		}
	}
	if in == 0 || e.Parts != in || e.Items != 2+2*in {
		t.Errorf("%d additions said they are in; the job has %+v", in, e)
	}
}
