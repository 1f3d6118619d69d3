package life

import (
	"context"
	"errors"
	"strings"

	"github.com/winnow-video/winnow/workflows/artifact"
)

// Draft is the kind of what a video reported to its page. Once the page has
// written its records, nobody reads it any more.
const Draft artifact.Kind = "draft"

// drafts removes the drafts of all closed pages, whatever their age.
func (s *sweep) drafts(ctx context.Context, tell func(Report)) error {
	for entry, err := range s.store.List(ctx, artifact.JobEntries) {
		if err == nil {
			err = s.draftsOf(ctx, strings.TrimPrefix(string(entry.Key), string(artifact.JobEntries)))
		}
		if err != nil {
			return err
		}
		tell(s.report)
	}
	return nil
}

func (s *sweep) draftsOf(ctx context.Context, job string) error {
	var page artifact.Key // the records of the page that refs belong to
	var refs []artifact.Ref
	for ref, err := range s.store.List(ctx, artifact.Drafts(job)) {
		if err != nil {
			return err
		}
		if records := ref.Key.DraftOf(); records != page {
			if err := s.draftsOfPage(ctx, page, refs); err != nil {
				return err
			}
			page, refs = records, nil
		}
		refs = append(refs, ref)
	}
	return s.draftsOfPage(ctx, page, refs)
}

// draftsOfPage removes refs if the page has its records.
func (s *sweep) draftsOfPage(ctx context.Context, records artifact.Key, refs []artifact.Ref) error {
	if len(refs) == 0 {
		return nil
	}
	_, err := s.store.Stat(ctx, records)
	open := errors.Is(err, artifact.ErrNotFound)
	if err != nil && !open {
		return err
	}
	sums := &s.report[Draft].Removed
	if open {
		sums = &s.report[Draft].Left
	}
	for _, ref := range refs {
		sums.add(ref)
	}
	if open || s.dry {
		return nil
	}
	return remove(ctx, s.store, refs)
}
