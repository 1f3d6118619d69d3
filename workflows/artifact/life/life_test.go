package life_test

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/winnow-video/winnow/workflows/artifact"
	"github.com/winnow-video/winnow/workflows/artifact/life"
	"github.com/winnow-video/winnow/workflows/artifact/memstore"
)

const day = 24 * time.Hour

func TestSweep(t *testing.T) {
	t.Parallel()
	store := memstore.New()
	for key, age := range map[artifact.Key]time.Duration{
		"v1/a/clip/1.safetensors":   25 * time.Hour,
		"v1/a/clip/2.safetensors":   23 * time.Hour,
		"v1/a/tokens/1.safetensors": 29 * day,
		"v1/a/kept/1.safetensors":   8 * day,
		"v1/a/kept/2.safetensors":   8 * day,
		"v1/a/answer/1.json":        31 * day,
		"v1/b/clip/1.safetensors":   25 * time.Hour,
		"v1/b/clip/used":            time.Hour, // which keeps it
		"v1/c/kept/1.safetensors":   90 * day,
		"v1/c/kept/used":            8 * day, // goes with what it kept
		"v1/d/clip":                 90 * day,
		"v1/d/future/1.safetensors": 90 * day,
		"v2/d/clip/1.safetensors":   90 * day,
		"jobs/j/results.jsonl":      900 * day,
		"jobs/j/records/0/0.jsonl":  900 * day,
		"index/jobs/j":              900 * day,

		"jobs/j/drafts/0/000001/0000.jsonl": 0, // its page is closed
		"jobs/j/drafts/0/000001/0001.jsonl": 0,
		"jobs/j/drafts/0/000002/0000.jsonl": 900 * day, // open
		"jobs/j/drafts/1/000001/0000.jsonl": 900 * day, // open again
		"jobs/j/records/0/000001.jsonl":     0,
	} {
		put(t, store, key, age)
	}
	want := []artifact.Key{
		"gc/clock",
		"index/jobs/j", "jobs/j/drafts/0/000002/0000.jsonl", "jobs/j/drafts/1/000001/0000.jsonl", "jobs/j/records/0/0.jsonl", "jobs/j/records/0/000001.jsonl", "jobs/j/results.jsonl",
		"v1/a/clip/2.safetensors", "v1/a/tokens/1.safetensors",
		"v1/b/clip/1.safetensors", "v1/b/clip/used",
		"v1/d/clip", "v1/d/future/1.safetensors", "v2/d/clip/1.safetensors",
	}
	planned := sweep(t, store, true)
	before := len(keys(t, store))
	done := sweep(t, store, false)
	if diff := cmp.Diff(planned, done); diff != "" {
		t.Errorf("planned, but not done (-planned +done):\n%s", diff)
	}
	if diff := cmp.Diff(want, keys(t, store)); diff != "" {
		t.Errorf("left, of %d (-want +got):\n%s", before, diff)
	}
	const bytes = 100
	if diff := cmp.Diff(life.Report{
		"clip":   {Removed: life.Count{Objects: 1, Bytes: bytes}, Left: life.Count{Objects: 2, Bytes: 2 * bytes}},
		"tokens": {Left: life.Count{Objects: 1, Bytes: bytes}},
		"kept":   {Removed: life.Count{Objects: 3, Bytes: 3 * bytes}},
		"answer": {Removed: life.Count{Objects: 1, Bytes: bytes}},
		"draft":  {Removed: life.Count{Objects: 2, Bytes: 2 * bytes}, Left: life.Count{Objects: 2, Bytes: 2 * bytes}},
	}, done); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
}

// What a job finds while a sweep goes on stays, though the sweep had listed it as old.
func TestSweepSparesWhatIsFoundMeanwhile(t *testing.T) {
	t.Parallel()
	store := memstore.New()
	const key = "v1/a/clip/1.safetensors"
	put(t, store, key, 25*time.Hour)
	_, err := life.Sweep(t.Context(), finding{store, key, t}, life.Defaults(), false, func(life.Report) {})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Stat(t.Context(), key); err != nil {
		t.Errorf("an artifact in use was removed: %v", err)
	}
}

// finding is a Store in which a job finds an artifact once it is listed.
type finding struct {
	*memstore.Store
	key artifact.Key
	t   *testing.T
}

// List implements artifact.Store.
func (f finding) List(ctx context.Context, prefix artifact.Key) iter.Seq2[artifact.Ref, error] {
	return func(yield func(artifact.Ref, error) bool) {
		f.Store.List(ctx, prefix)(yield)
		if _, err := life.Mark(f.Store).Stat(ctx, f.key); err != nil {
			f.t.Error(err)
		}
	}
}

func TestMark(t *testing.T) {
	t.Parallel()
	store := memstore.New()
	put(t, store, "v1/young/tokens/1.safetensors", life.MarkEvery/2)
	put(t, store, "v1/old/tokens/1.safetensors", 2*life.MarkEvery)
	put(t, store, "jobs/j/results.jsonl", 9*day)
	marking := life.Mark(store)
	for _, key := range keys(t, store) {
		if _, err := marking.Stat(t.Context(), key); err != nil {
			t.Error(err)
		}
	}
	if _, err := marking.Stat(t.Context(), "v1/old/tokens/2.safetensors"); !errors.Is(err, artifact.ErrNotFound) {
		t.Errorf("Stat of nothing: %v", err)
	}
	marks := slices.DeleteFunc(keys(t, store), func(k artifact.Key) bool { return !strings.HasSuffix(string(k), "used") })
	if diff := cmp.Diff([]artifact.Key{"v1/old/tokens/used"}, marks); diff != "" {
		t.Errorf("marks (-want +got):\n%s", diff)
	}
	// One mark does for all of a kind, for a while.
	if err := store.Remove(t.Context(), "v1/old/tokens/used"); err != nil {
		t.Fatal(err)
	}
	if _, err := marking.Stat(t.Context(), "v1/old/tokens/1.safetensors"); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Stat(t.Context(), "v1/old/tokens/used"); !errors.Is(err, artifact.ErrNotFound) {
		t.Errorf("the mark was written twice: %v", err)
	}
}

func TestAgesTooShort(t *testing.T) {
	t.Parallel()
	ages := life.Defaults()
	ages[artifact.KindKept] = 10 * time.Minute
	_, err := life.Sweep(t.Context(), memstore.New(), ages, true, func(life.Report) {})
	if err == nil || !strings.Contains(err.Error(), "age of kept 10m0s: want at least 1h0m0s") {
		t.Errorf("Sweep: %v", err)
	}
}

func TestForget(t *testing.T) {
	t.Parallel()
	store := memstore.New()
	for _, key := range []artifact.Key{
		"v1/a/clip/1.safetensors", "v1/a/clip/used", "v1/a/answer/1.json", "v1/a/answer/2.json", "v1/ab/clip/1.safetensors", "jobs/j/results.jsonl",
		"videos/0a.mp4", "videos/0b.mp4",
	} {
		put(t, store, key, 0)
	}
	receipt, err := life.Forget(t.Context(), store, "a", "videos/0a.mp4")
	if err != nil {
		t.Fatal(err)
	}
	want := map[artifact.Kind]life.Count{"clip": {Objects: 1, Bytes: 100}, "answer": {Objects: 2, Bytes: 200}, "video": {Objects: 1, Bytes: 100}}
	if diff := cmp.Diff(want, receipt.Removed); diff != "" || receipt.Source != "a" || receipt.At.IsZero() {
		t.Errorf("receipt %+v (-want +got):\n%s", receipt, diff)
	}
	if diff := cmp.Diff([]artifact.Key{"jobs/j/results.jsonl", "v1/ab/clip/1.safetensors", "videos/0b.mp4"}, keys(t, store)); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
}

// busy is a Store in which a running job makes a clip anew as soon as it is removed.
type busy struct{ *memstore.Store }

// Remove implements artifact.Keeper.
func (b busy) Remove(ctx context.Context, key artifact.Key) error {
	_, err := b.Put(ctx, key, bytes.NewReader(nil), artifact.Replace)
	return err
}

func TestForgetWhileAJobRuns(t *testing.T) {
	t.Parallel()
	store := memstore.New()
	put(t, store, "v1/a/clip/1.safetensors", 0)
	receipt, err := life.Forget(t.Context(), busy{store}, "a", "")
	if err == nil || !strings.Contains(err.Error(), "cancel the jobs") || !receipt.At.IsZero() {
		t.Errorf("receipt %+v, %v: want no receipt", receipt, err)
	}
}

func sweep(t *testing.T, store artifact.Keeper, dry bool) life.Report {
	t.Helper()
	report, err := life.Sweep(t.Context(), store, life.Defaults(), dry, func(life.Report) {})
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// put stores 100 bytes, so long ago.
func put(t *testing.T, store *memstore.Store, key artifact.Key, age time.Duration) {
	t.Helper()
	if _, err := store.Put(t.Context(), key, bytes.NewReader(make([]byte, 100)), artifact.Replace); err != nil {
		t.Fatal(err)
	}
	if err := store.Age(t.Context(), key, age); err != nil {
		t.Fatal(err)
	}
}

func keys(t *testing.T, store artifact.Store) (all []artifact.Key) {
	t.Helper()
	for ref, err := range store.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, ref.Key)
	}
	return all
}
