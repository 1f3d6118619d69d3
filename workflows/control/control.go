// Package control is everything a client does with jobs: submit, list, show,
// watch, read results, pause, resume, cancel, retry. The command line sits on it,
// and so can anything else.
//
// What a job is lies in the store and outlives Temporal's database; Temporal is
// told to do something about it. So listing, showing and reading need the store
// alone, and a job that Temporal forgot is started again from the store.
package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"

	"go.temporal.io/sdk/client"

	"github.com/winnow-video/winnow/workflows"
	"github.com/winnow-video/winnow/workflows/artifact"
	"github.com/winnow-video/winnow/workflows/job"
)

// Events is what watching needs of the bus.
type Events interface {
	// Follow yields a job's events from the first, and goes on until ctx ends.
	Follow(ctx context.Context, id job.ID) iter.Seq2[job.Event, error]
}

// Jobs is the jobs of one stack. It is safe for concurrent use.
type Jobs struct {
	temporal client.Client
	store    artifact.Store
	events   Events
}

// New takes open connections; they stay the caller's.
func New(temporal client.Client, store artifact.Store, events Events) *Jobs {
	return &Jobs{temporal: temporal, store: store, events: events}
}

// ErrNoJob says that the store has no such job.
var ErrNoJob = errors.New("no such job: `winnow ls` lists what there is")

// readJSON reads a job's file into v; ok is false where the job has no such file.
func (j *Jobs) readJSON(ctx context.Context, id job.ID, name string, v any) (ok bool, err error) {
	key := artifact.JobFile(id.String(), name)
	text, err := j.store.Get(ctx, key)
	switch {
	case errors.Is(err, artifact.ErrNotFound):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("%s: %w", key, err)
	}
	if err := json.Unmarshal(text, v); err != nil {
		return false, fmt.Errorf("%s: %w", key, err)
	}
	return true, nil
}

// status is where the job stood when it last said so. A job that was submitted
// and never began has the zero Status with its id.
func (j *Jobs) status(ctx context.Context, id job.ID) (workflows.Status, error) {
	st := workflows.Status{V: workflows.Version, Job: id.String()}
	_, err := j.readJSON(ctx, id, "state.json", &st)
	if err == nil && st.V != workflows.Version {
		err = otherVersion(id, st.V)
	}
	return st, err
}

func otherVersion(id job.ID, v int) error {
	return fmt.Errorf("job %s was written by another version of Winnow (v %d, this one reads %d)", id, v, workflows.Version)
}

// over says whether the job came to its end.
func over(st workflows.Status) bool {
	return st.State == job.StateFinished || st.State == job.StateCanceled
}
