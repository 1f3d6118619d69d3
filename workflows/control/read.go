package control

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/winnow-video/winnow/workflows"
	"github.com/winnow-video/winnow/workflows/artifact"
	"github.com/winnow-video/winnow/workflows/job"
)

// Job is what Show and List tell of a job.
type Job struct {
	ID      job.ID             `json:"-"`
	Name    string             `json:"id"`
	Spec    job.Spec           `json:"spec"`
	Status  workflows.Status   `json:"status"`
	Summary *workflows.Summary `json:"summary,omitempty"` // once the job is over
}

// List yields the jobs of the store, by id.
func (j *Jobs) List(ctx context.Context) iter.Seq2[Job, error] {
	return func(yield func(Job, error) bool) {
		for ref, err := range j.store.List(ctx, artifact.JobEntries) {
			if err != nil {
				yield(Job{}, err)
				return
			}
			id, isJob := jobOf(ref.Key)
			if !isJob {
				continue
			}
			one, err := j.Show(ctx, id)
			if errors.Is(err, ErrNoJob) { // its files were deleted by hand
				continue
			}
			if !yield(one, err) {
				return
			}
		}
	}
}

// Show reads a job from the store; ErrNoJob.
func (j *Jobs) Show(ctx context.Context, id job.ID) (Job, error) {
	one := Job{ID: id, Name: id.String()}
	var err error
	if one.Spec, err = j.spec(ctx, id); err != nil {
		return one, err
	}
	if one.Status, err = j.status(ctx, id); err != nil {
		return one, err
	}
	one.Status.State = stateName(one.Status)
	var s stamp
	if _, err = j.readJSON(ctx, id, "submission.json", &s); err != nil {
		return one, err
	}
	one.Status.Items, one.Status.Pages, one.Status.Variants = s.Items, s.Pages, len(one.Spec.Prune)
	if !over(one.Status) {
		return one, nil
	}
	var sum workflows.Summary
	found, err := j.readJSON(ctx, id, "summary.json", &sum)
	if found {
		one.Summary = &sum
	}
	return one, err
}

// Results yields the records of the job's closed pages, in manifest order, the
// newest of every (id, variant). It can be read while the job runs.
func (j *Jobs) Results(ctx context.Context, id job.ID) iter.Seq2[job.Record, error] {
	return func(yield func(job.Record, error) bool) {
		in, _, err := j.input(ctx, id)
		if err != nil {
			yield(job.Record{}, err)
			return
		}
		for page := range in.Pages {
			records, err := j.pageRecords(ctx, id, in.Generation, page)
			if err != nil {
				yield(job.Record{}, err)
				return
			}
			for _, r := range records {
				if !yield(r, nil) {
					return
				}
			}
		}
	}
}

// pageRecords lays the later generations' records of a page over the first's, which has every item.
func (j *Jobs) pageRecords(ctx context.Context, id job.ID, generation, page int) ([]job.Record, error) {
	first, err := j.records(ctx, artifact.PageRecords(id.String(), 0, page))
	if err != nil || generation == 0 {
		return first, err
	}
	type place struct{ id, variant string }
	at := make(map[place]int, len(first))
	for i, r := range first {
		at[place{r.ID, r.Variant}] = i
	}
	for g := 1; g <= generation; g++ {
		later, err := j.records(ctx, artifact.PageRecords(id.String(), g, page))
		if err != nil {
			return nil, err
		}
		for _, r := range later {
			if i, known := at[place{r.ID, r.Variant}]; known {
				first[i] = r
			}
		}
	}
	return first, nil
}

// records reads a page's records; none where the page has not closed.
func (j *Jobs) records(ctx context.Context, key artifact.Key) ([]job.Record, error) {
	text, err := j.store.Get(ctx, key)
	if errors.Is(err, artifact.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	all, err := job.ReadLines[job.Record](text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	for _, r := range all {
		if r.V != job.Version {
			return nil, fmt.Errorf("%s: a record of version %d, this program reads %d", key, r.V, job.Version)
		}
	}
	return all, nil
}

// Items reads the first items of a job, at least limit where there are as many, by id.
func (j *Jobs) Items(ctx context.Context, id job.ID, limit int) (map[string]job.Item, error) {
	in, _, err := j.input(ctx, id)
	if err != nil {
		return nil, err
	}
	all := map[string]job.Item{}
	for page := 0; page < in.Pages && len(all) < limit; page++ {
		text, err := j.store.Get(ctx, artifact.Page(id.String(), page))
		if err != nil {
			return nil, err
		}
		items, err := job.ReadLines[job.Item](text)
		if err != nil {
			return nil, err
		}
		for _, item := range items {
			all[item.ID] = item
		}
	}
	return all, nil
}
