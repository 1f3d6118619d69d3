// Package extent is how far a job's manifest goes: the lines it was submitted with,
// and the parts that were added while it ran.
//
// A part is staged under its digest, whole, before it is told: parts/<n>.json, of
// which storage takes the first one alone. That is the moment it belongs to the job.
// Its pages then take the numbers after those before it; whoever finds them not there
// yet puts them there. A killed program so leaves a part that is nobody's, or one that
// is whole, and adding the same lines twice adds them once.
//
// A Job closes its manifest before it writes its result files: the number that the next
// part would take is taken by an end. No part comes after it, so none is left out.
package extent

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/winnow-video/winnow/workflows/artifact"
	"github.com/winnow-video/winnow/workflows/job"
)

// PageItems is how many manifest lines a page has at most.
const PageItems = 500

// Extent is how far a manifest goes.
type Extent struct {
	Pages  int  `json:"pages"`
	Items  int  `json:"items"`
	Parts  int  `json:"parts,omitempty"` // added, and counted above
	Closed bool `json:"closed,omitempty"`
}

// ErrClosed says that the job is at its end: it takes no more lines.
var ErrClosed = errors.New("the job is at its end and takes no more lines")

// part is parts/<n>.json.
type part struct {
	V      int    `json:"v"`
	Digest string `json:"digest,omitempty"` // of its pages
	Pages  int    `json:"pages"`
	Items  int    `json:"items"`
	End    bool   `json:"end,omitempty"` // no part, and none comes after it
}

// Paginate writes items as pages of JSON lines.
func Paginate(items []job.Item) ([][]byte, error) {
	var pages [][]byte
	for len(items) > 0 {
		n := min(PageItems, len(items))
		page, err := job.WriteLines(items[:n])
		if err != nil {
			return nil, err
		}
		pages, items = append(pages, page), items[n:]
	}
	return pages, nil
}

// Read follows the parts of a job from what is known of it.
func Read(ctx context.Context, store artifact.Store, id string, known Extent) (Extent, error) {
	return follow(ctx, store, id, known, func(part, int) error { return nil })
}

// Settle is Read that sees to it that every page has its number.
func Settle(ctx context.Context, store artifact.Store, id string, known Extent) (Extent, error) {
	return follow(ctx, store, id, known, func(p part, first int) error { return settle(ctx, store, id, p, first) })
}

// Close is Settle that lets no part come any more.
func Close(ctx context.Context, store artifact.Store, id string, known Extent) (Extent, error) {
	for {
		e, err := Settle(ctx, store, id, known)
		if err != nil || e.Closed {
			return e, err
		}
		if _, err := claim(ctx, store, id, e.Parts+1, part{V: job.Version, End: true}); err != nil {
			return e, err
		}
		known = e // the end is there now, or a part that was faster
	}
}

func follow(ctx context.Context, store artifact.Store, id string, e Extent, visit func(p part, first int) error) (Extent, error) {
	for !e.Closed {
		p, err := read(ctx, store, artifact.Part(id, e.Parts+1))
		if errors.Is(err, artifact.ErrNotFound) {
			return e, nil
		}
		if err != nil {
			return e, err
		}
		if p.End {
			e.Closed = true
			break
		}
		if err := visit(p, e.Pages); err != nil {
			return e, err
		}
		e = e.plus(p)
	}
	return e, nil
}

func (e Extent) plus(p part) Extent {
	return Extent{Pages: e.Pages + p.Pages, Items: e.Items + p.Items, Parts: e.Parts + 1}
}

func read(ctx context.Context, store artifact.Store, key artifact.Key) (part, error) {
	var p part
	text, err := store.Get(ctx, key)
	if err != nil {
		return p, fmt.Errorf("%s: %w", key, err)
	}
	if err := json.Unmarshal(text, &p); err != nil {
		return p, fmt.Errorf("%s: %w", key, err)
	}
	if p.V != job.Version {
		return p, job.Fail(job.StageRecord, job.InternalVersion, "%s has version %d, this program reads %d", key, p.V, job.Version)
	}
	return p, nil
}

// settle gives a part's pages their numbers, from first on.
func settle(ctx context.Context, store artifact.Store, id string, p part, first int) error {
	for i := range p.Pages {
		to := artifact.Page(id, first+i)
		if _, err := store.Stat(ctx, to); err == nil {
			continue
		} else if !errors.Is(err, artifact.ErrNotFound) {
			return err
		}
		text, err := store.Get(ctx, artifact.PartFile(id, p.Digest, pageName(i)))
		if err != nil {
			return fmt.Errorf("page %d of part %s: %w", i, p.Digest, err)
		}
		if err := put(ctx, store, to, bytes.NewReader(text)); err != nil {
			return err
		}
	}
	return nil
}

// claim takes the number n for p, unless it is taken; it returns whose it is.
func claim(ctx context.Context, store artifact.Store, id string, n int, p part) (part, error) {
	text, err := json.Marshal(p)
	if err != nil {
		return part{}, err
	}
	if err := put(ctx, store, artifact.Part(id, n), bytes.NewReader(text)); err != nil {
		return part{}, err
	}
	return read(ctx, store, artifact.Part(id, n))
}

func put(ctx context.Context, store artifact.Store, key artifact.Key, body io.ReadSeeker) error {
	_, err := store.Put(ctx, key, body, artifact.FirstWins)
	return err
}

func pageName(i int) string { return fmt.Sprintf("%06d.jsonl", i) }

// digestOf is what the same lines share.
func digestOf(pages [][]byte) string {
	sum := sha256.New()
	for _, page := range pages {
		sum.Write(page)
	}
	return hex.EncodeToString(sum.Sum(nil))[:16]
}
