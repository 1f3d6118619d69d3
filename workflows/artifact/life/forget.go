package life

import (
	"context"
	"errors"
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

// Video is the kind of the copy that submitting a local video has made of it.
const Video artifact.Kind = "video"

// Forget removes everything that was derived from a video, and its copy where one
// is named, and looks whether anything is left or was made anew meanwhile, which
// is an error.
func Forget(ctx context.Context, store artifact.Keeper, source string, copied artifact.Key) (Receipt, error) {
	r := Receipt{V: 1, Source: source, Removed: map[artifact.Kind]Count{}}
	refs, err := listed(ctx, store, source, copied)
	if err != nil {
		return r, err
	}
	if err := remove(ctx, store, refs); err != nil {
		return r, err
	}
	r.count(refs, copied)
	if refs, err = listed(ctx, store, source, copied); err != nil {
		return r, err
	}
	if len(refs) > 0 {
		return r, fmt.Errorf("%d objects of %s were made anew, %s among them: cancel the jobs that ask about it, then forget it again",
			len(refs), source, refs[0].Key)
	}
	r.At = time.Now().UTC()
	return r, nil
}

func (r *Receipt) count(refs []artifact.Ref, copied artifact.Key) {
	for _, ref := range refs {
		_, kind, _ := ref.Key.Derived()
		switch ref.Key {
		case artifact.Mark(r.Source, kind):
			continue
		case copied:
			kind = Video
		}
		count := r.Removed[kind]
		count.add(ref)
		r.Removed[kind] = count
	}
}

// listed is what storage holds of a source, its copy included.
func listed(ctx context.Context, store artifact.Store, source string, copied artifact.Key) (refs []artifact.Ref, err error) {
	for ref, err := range store.List(ctx, artifact.OfSource(source)) {
		if err != nil {
			return nil, err
		}
		refs = append(refs, ref)
	}
	if copied == "" {
		return refs, nil
	}
	ref, err := store.Stat(ctx, copied)
	switch {
	case errors.Is(err, artifact.ErrNotFound):
		return refs, nil
	case err != nil:
		return nil, err
	}
	return append(refs, ref), nil
}
