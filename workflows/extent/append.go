package extent

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/winnow-video/winnow/workflows/artifact"
	"github.com/winnow-video/winnow/workflows/job"
)

// Addition is lines for a job.
type Addition struct {
	File     string        // named in errors
	Items    []job.Item    // at least one; their ids differ
	Manifest io.ReadSeeker // the user's file, kept as it is
}

// Duplicates are lines of an addition whose ids the job has already.
type Duplicates []*job.LineError

// Error implements error: one line each.
func (d Duplicates) Error() string {
	lines := make([]string, len(d))
	for i, one := range d {
		lines[i] = one.Error()
	}
	return strings.Join(lines, "\n")
}

// Append adds lines to a job that was submitted with so many, and returns how far it
// goes with them. The same lines once more are found, and added is false. Errors:
// Duplicates, ErrClosed.
func Append(ctx context.Context, store artifact.Store, id string, submitted Extent, a Addition) (_ Extent, added bool, err error) {
	pages, err := Paginate(a.Items)
	if err != nil {
		return submitted, false, err
	}
	w := &writer{
		store: store, id: id, addition: a, to: submitted,
		part: part{V: job.Version, Digest: digestOf(pages), Pages: len(pages), Items: len(a.Items)},
	}
	if added, err = w.write(ctx, pages); err != nil {
		return w.to, false, err
	}
	e, err := Settle(ctx, store, id, submitted)
	return e, added, err
}

// writer is one call of Append.
type writer struct {
	store    artifact.Store
	id       string
	addition Addition
	part     part
	found    bool   // the same lines belong to the job already
	to       Extent // how far the job goes, as far as was looked
	checked  int    // pages whose ids are known to differ
}

// write claims numbers until one is free. Every part that was faster is looked at first.
func (w *writer) write(ctx context.Context, pages [][]byte) (added bool, err error) {
	for {
		if err := w.look(ctx); err != nil || w.found {
			return false, err
		}
		if w.to.Closed {
			return false, ErrClosed
		}
		if err := w.check(ctx); err != nil {
			return false, err
		}
		if err := w.stage(ctx, pages); err != nil {
			return false, err
		}
		taken, err := claim(ctx, w.store, w.id, w.to.Parts+1, w.part)
		if err != nil || taken == w.part {
			return err == nil, err
		}
	}
}

// look follows the parts, among them perhaps this one.
func (w *writer) look(ctx context.Context) (err error) {
	w.to, err = follow(ctx, w.store, w.id, w.to, func(p part, first int) error {
		w.found = w.found || p.Digest == w.part.Digest
		return settle(ctx, w.store, w.id, p, first)
	})
	return err
}

// check compares ids with those of pages that were not looked at yet.
func (w *writer) check(ctx context.Context) error {
	lines := make(map[string]int, len(w.addition.Items))
	for _, item := range w.addition.Items {
		lines[item.ID] = item.Line
	}
	var twice Duplicates
	for ; w.checked < w.to.Pages; w.checked++ {
		items, err := readPage(ctx, w.store, artifact.Page(w.id, w.checked))
		if err != nil {
			return err
		}
		for _, item := range items {
			if line, has := lines[item.ID]; has {
				twice = append(twice, &job.LineError{File: w.addition.File, Line: line, Field: "id", Msg: fmt.Sprintf("%q is in the job already", item.ID)})
			}
		}
	}
	if len(twice) > 0 {
		return twice
	}
	return nil
}

func readPage(ctx context.Context, store artifact.Store, key artifact.Key) ([]job.Item, error) {
	text, err := store.Get(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	items, err := job.ReadLines[job.Item](text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	return items, nil
}

// stage stores the part whole, where nobody looks for it before it is claimed.
func (w *writer) stage(ctx context.Context, pages [][]byte) error {
	errs := []error{put(ctx, w.store, artifact.PartFile(w.id, w.part.Digest, "manifest.jsonl"), w.addition.Manifest)}
	for i, page := range pages {
		errs = append(errs, put(ctx, w.store, artifact.PartFile(w.id, w.part.Digest, pageName(i)), bytes.NewReader(page)))
	}
	return errors.Join(errs...)
}
