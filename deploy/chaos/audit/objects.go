package audit

import (
	"context"
	"fmt"

	"github.com/winnow-video/winnow/workflows/artifact"
	"github.com/winnow-video/winnow/workflows/job"
)

// Objects reads all that lies in a store and counts it. It returns a line for
// each object whose content is not what its digest says.
func Objects(ctx context.Context, store artifact.Store, prefixes ...artifact.Key) (n int, torn []string, err error) {
	for _, prefix := range prefixes {
		for ref, err := range store.List(ctx, prefix) {
			if err != nil {
				return n, torn, err
			}
			if _, err := store.Get(ctx, ref.Key); err != nil {
				torn = append(torn, err.Error())
			}
			n++
		}
	}
	return n, torn, ctx.Err()
}

// RecordsOf reads a finished job's records: those of its results and errors, and
// those of its pages, which they were made of.
func RecordsOf(ctx context.Context, store artifact.Store, id string) (results, pages []job.Record, err error) {
	for _, name := range []string{"results.jsonl", "errors.jsonl"} {
		if results, err = appendRecords(ctx, store, results, artifact.JobFile(id, name)); err != nil {
			return nil, nil, err
		}
	}
	for ref, err := range store.List(ctx, artifact.JobFile(id, "records/")) {
		if err != nil {
			return nil, nil, err
		}
		if pages, err = appendRecords(ctx, store, pages, ref.Key); err != nil {
			return nil, nil, err
		}
	}
	return results, pages, nil
}

func appendRecords(ctx context.Context, store artifact.Store, all []job.Record, key artifact.Key) ([]job.Record, error) {
	text, err := store.Get(ctx, key)
	if err != nil {
		return nil, err
	}
	records, err := job.ReadLines[job.Record](text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	return append(all, records...), nil
}
