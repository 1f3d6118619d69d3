package life

import (
	"context"
	"fmt"
	"time"

	"github.com/winnow-video/winnow/workflows/artifact"
)

// Receipt says what of a video was removed.
type Receipt struct {
	V       int                     `json:"v"`
	Source  string                  `json:"source"`
	At      time.Time               `json:"at"` // when storage held nothing of it any more
	Removed map[artifact.Kind]Count `json:"removed"`
}

// Forget removes everything that was derived from a video, and looks whether
// anything is left or was made anew meanwhile, which is an error.
func Forget(ctx context.Context, store artifact.Keeper, source string) (Receipt, error) {
	r := Receipt{V: 1, Source: source, Removed: map[artifact.Kind]Count{}}
	refs, err := listed(ctx, store, source)
	if err != nil {
		return r, err
	}
	if err := remove(ctx, store, refs); err != nil {
		return r, err
	}
	for _, ref := range refs {
		_, kind, _ := ref.Key.Derived()
		if ref.Key != artifact.Mark(source, kind) {
			count := r.Removed[kind]
			count.add(ref)
			r.Removed[kind] = count
		}
	}
	if refs, err = listed(ctx, store, source); err != nil {
		return r, err
	}
	if len(refs) > 0 {
		return r, fmt.Errorf("%d objects of %s were made anew, %s among them: cancel the jobs that ask about it, then forget it again",
			len(refs), source, refs[0].Key)
	}
	r.At = time.Now().UTC()
	return r, nil
}

func listed(ctx context.Context, store artifact.Store, source string) (refs []artifact.Ref, err error) {
	for ref, err := range store.List(ctx, artifact.OfSource(source)) {
		if err != nil {
			return nil, err
		}
		refs = append(refs, ref)
	}
	return refs, nil
}
