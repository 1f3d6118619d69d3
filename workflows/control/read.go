package control

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/winnow-video/winnow/workflows"
	"github.com/winnow-video/winnow/workflows/artifact"
	"github.com/winnow-video/winnow/workflows/extent"
	"github.com/winnow-video/winnow/workflows/job"
)

// Job is what Show and List tell of a job.
type Job struct {
	ID      job.ID             `json:"-"`
	Name    string             `json:"id"`
	Spec    job.Spec           `json:"spec"`
	Bundle  string             `json:"bundle"` // full digest
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
	s, err := j.stamp(ctx, id)
	if err != nil {
		return one, err
	}
	e, err := extent.Read(ctx, j.store, id.String(), s.extent())
	if err != nil {
		return one, err
	}
	one.Bundle = s.Bundle
	one.Status.Items, one.Status.Pages, one.Status.Variants = e.Items, e.Pages, len(one.Spec.Prune)
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
// newest of every (id, variant). It can be read while the job runs. Of a job that is
// paused, what open pages have so far is yielded as well.
func (j *Jobs) Results(ctx context.Context, id job.ID) iter.Seq2[job.Record, error] {
	return func(yield func(job.Record, error) bool) {
		in, _, err := j.input(ctx, id)
		if err != nil {
			yield(job.Record{}, err)
			return
		}
		for page := range in.Pages {
			records, err := j.pageRecords(ctx, in, page)
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

// place is where a record belongs.
type place struct{ id, variant string }

// pageRecords lays the later generations' records of a page over the first's, which has every item.
func (j *Jobs) pageRecords(ctx context.Context, in workflows.JobInput, page int) ([]job.Record, error) {
	first, err := j.generation(ctx, in, 0, page)
	if err != nil || in.Generation == 0 {
		return first, err
	}
	at := make(map[place]int, len(first))
	for i, r := range first {
		at[place{r.ID, r.Variant}] = i
	}
	for g := 1; g <= in.Generation; g++ {
		later, err := j.generation(ctx, in, g, page)
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

// generation is what a page has recorded in one generation: of the newest, while the job
// is paused, also what its videos have reported.
func (j *Jobs) generation(ctx context.Context, in workflows.JobInput, generation, page int) ([]job.Record, error) {
	closed, err := j.records(ctx, artifact.PageRecords(in.Job, generation, page))
	if err != nil || closed != nil || !in.Paused || generation < in.Generation {
		return closed, err
	}
	return j.drafts(ctx, in, page)
}

// drafts are the records that the videos of an open page have reported, in manifest order.
func (j *Jobs) drafts(ctx context.Context, in workflows.JobInput, page int) ([]job.Record, error) {
	var all []job.Record
	for ref, err := range j.store.List(ctx, artifact.PageDrafts(in.Job, in.Generation, page)) {
		if err != nil {
			return nil, err
		}
		some, err := j.records(ctx, ref.Key)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	if len(all) == 0 {
		return nil, nil
	}
	items, err := j.page(ctx, in.Job, page)
	if err != nil {
		return nil, err
	}
	line := make(map[string]int, len(items))
	for i, item := range items {
		line[item.ID] = i
	}
	slices.SortStableFunc(all, func(a, b job.Record) int { return line[a.ID] - line[b.ID] }) // a video has an item's variants in order
	return all, nil
}

// page reads the items of a page.
func (j *Jobs) page(ctx context.Context, id string, page int) ([]job.Item, error) {
	key := artifact.Page(id, page)
	text, err := j.store.Get(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	items, err := job.ReadLines[job.Item](text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	return items, nil
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
		items, err := j.page(ctx, in.Job, page)
		if err != nil {
			return nil, err
		}
		for _, item := range items {
			all[item.ID] = item
		}
	}
	return all, nil
}
