package life

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/winnow-video/winnow/workflows/artifact"
)

// removals is how many objects are removed at once.
const removals = 16

// clock is the key of the object that tells storage's time.
const clock artifact.Key = "gc/clock"

// Count is so many objects of so many bytes.
type Count struct {
	Objects int   `json:"objects"`
	Bytes   int64 `json:"bytes"`
}

func (c *Count) add(ref artifact.Ref) {
	c.Objects++
	c.Bytes += ref.Size
}

// Swept is what a sweep did with the artifacts of a kind.
type Swept struct {
	Removed Count `json:"removed"`
	Left    Count `json:"left"`
}

// Report is what a sweep did, by kind.
type Report map[artifact.Kind]*Swept

// Sweep removes every artifact of store that was neither made nor used within
// its kind's age, and the drafts of closed pages, and calls tell with the sums so
// far after every job and video. With dry set nothing is removed, and the report
// says what would be. Several sweeps at once do no harm.
func Sweep(ctx context.Context, store artifact.Keeper, ages Ages, dry bool, tell func(Report)) (Report, error) {
	if err := ages.Validate(); err != nil {
		return nil, err
	}
	now, err := storageTime(ctx, store)
	if err != nil {
		return nil, err
	}
	s := &sweep{store: store, ages: ages, dry: dry, now: now, report: Report{}}
	for _, kind := range append(Kinds[:], Draft) {
		s.report[kind] = &Swept{}
	}
	if err := s.drafts(ctx, tell); err != nil {
		return s.report, err
	}
	return s.report, s.artifacts(ctx, tell)
}

// artifacts removes what of every video is old.
func (s *sweep) artifacts(ctx context.Context, tell func(Report)) error {
	var g group
	for ref, err := range s.store.List(ctx, artifact.Artifacts) {
		if err != nil {
			return err
		}
		source, kind, ok := ref.Key.Derived()
		if !ok || !slices.Contains(Kinds[:], kind) {
			continue // of another version of Winnow, or not its own
		}
		if source != g.source || kind != g.kind {
			if err := s.group(ctx, g); err != nil {
				return err
			}
			tell(s.report)
			g = group{source: source, kind: kind}
		}
		g.add(ref)
	}
	return s.group(ctx, g)
}

// storageTime is the time by the clock that dates objects, however wrong ours is.
func storageTime(ctx context.Context, store artifact.Store) (time.Time, error) {
	if _, err := store.Put(ctx, clock, bytes.NewReader(nil), artifact.Replace); err != nil {
		return time.Time{}, fmt.Errorf("tell storage's time: %w", err)
	}
	ref, err := store.Stat(ctx, clock)
	return ref.Modified, err
}

// group is a video's artifacts of one kind, which lie side by side in a listing.
type group struct {
	source string
	kind   artifact.Kind
	refs   []artifact.Ref
	used   time.Time // by its mark; zero: it has none
}

func (g *group) add(ref artifact.Ref) {
	if ref.Key == artifact.Mark(g.source, g.kind) {
		g.used = ref.Modified
		return
	}
	g.refs = append(g.refs, ref)
}

type sweep struct {
	store  artifact.Keeper
	ages   Ages
	dry    bool
	now    time.Time
	report Report
}

// group removes what is old of a group. Its mark is looked at again first: the
// listing may be minutes old.
func (s *sweep) group(ctx context.Context, g group) error {
	if s.anyOld(g) && !s.dry {
		used, err := s.used(ctx, g)
		if err != nil {
			return err
		}
		g.used = used
	}
	var old []artifact.Ref
	for _, ref := range g.refs {
		sums := s.report[g.kind]
		if s.old(g, ref.Modified) {
			old = append(old, ref)
			sums.Removed.add(ref)
		} else {
			sums.Left.add(ref)
		}
	}
	if s.dry {
		return nil
	}
	if err := remove(ctx, s.store, old); err != nil {
		return err
	}
	if len(old) == len(g.refs) && s.old(g, time.Time{}) && !g.used.IsZero() {
		return s.store.Remove(ctx, artifact.Mark(g.source, g.kind))
	}
	return nil
}

// anyOld says whether any of a group is old.
func (s *sweep) anyOld(g group) bool {
	for _, ref := range g.refs {
		if s.old(g, ref.Modified) {
			return true
		}
	}
	return false
}

// old says whether an artifact of a group, made at a time, is past its age.
func (s *sweep) old(g group, made time.Time) bool {
	if g.used.After(made) {
		made = g.used
	}
	return s.now.Sub(made) > s.ages[g.kind]
}

// used is what a group's mark says now.
func (s *sweep) used(ctx context.Context, g group) (time.Time, error) {
	ref, err := s.store.Stat(ctx, artifact.Mark(g.source, g.kind))
	if errors.Is(err, artifact.ErrNotFound) {
		return time.Time{}, nil
	}
	return ref.Modified, err
}

func remove(ctx context.Context, store artifact.Keeper, refs []artifact.Ref) error {
	some, ctx := errgroup.WithContext(ctx)
	some.SetLimit(removals)
	for _, ref := range refs {
		some.Go(func() error { return store.Remove(ctx, ref.Key) })
	}
	return some.Wait()
}
