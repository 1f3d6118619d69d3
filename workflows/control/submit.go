package control

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/winnow-video/winnow/workflows"
	"github.com/winnow-video/winnow/workflows/artifact"
	"github.com/winnow-video/winnow/workflows/extent"
	"github.com/winnow-video/winnow/workflows/job"
)

// Submission is a checked job.
type Submission struct {
	Spec     job.Spec      // defaults filled in; paths absolute
	Items    []job.Item    // the whole manifest, in order
	Manifest io.ReadSeeker // the user's file, kept as it is
	Bundle   string        // full digest
	New      bool          // a further run, even where one is unfinished
}

// Outcome says what Submit found.
type Outcome string

// The outcomes.
const (
	Started Outcome = "started"
	Resumed Outcome = "resumed" // the same job was unfinished, and goes on
)

// Submit stores the job and starts it. The same job unfinished is resumed with the
// budget given, also where it was paused; finished, its next run starts.
func (j *Jobs) Submit(ctx context.Context, s Submission) (job.ID, Outcome, error) {
	pages, err := extent.Paginate(s.Items)
	if err != nil {
		return job.ID{}, "", err
	}
	id := job.ID{Name: s.Spec.Name, Digest: identity(s.Spec, s.Bundle, pages), N: 1}
	id, resumed, err := j.number(ctx, id, s.New)
	if err != nil {
		return id, "", err
	}
	if err := j.storeJob(ctx, id, s, pages); err != nil {
		return id, "", err
	}
	if resumed {
		return id, Resumed, j.Resume(ctx, id)
	}
	return id, Started, j.start(ctx, id)
}

// identity is the first 8 hex digits of the digest of spec, manifest and bundle. Where
// manifest and bundle lie does not matter, what they say does; nor does what bounds the
// job's pace and cost: with a larger budget the same job goes on.
func identity(spec job.Spec, bundle string, pages [][]byte) string {
	spec.Manifest, spec.Bundle, spec.Budget, spec.VideosAtOnce = "", "", job.Budget{}, 0
	manifest := sha256.New()
	for _, page := range pages {
		manifest.Write(page)
	}
	return artifact.Digest([]any{spec, bundle, hex.EncodeToString(manifest.Sum(nil))})[:8]
}

// number picks the run: the newest one while it is unfinished, else the one after it.
func (j *Jobs) number(ctx context.Context, id job.ID, fresh bool) (_ job.ID, resumed bool, err error) {
	newest, found, err := j.newest(ctx, id)
	if err != nil || !found {
		return id, false, err
	}
	st, err := j.status(ctx, newest)
	if err != nil {
		return newest, false, err
	}
	if fresh || over(st) {
		return newest.Next(), false, nil
	}
	return newest, true, nil
}

// newest is the last run of id's name and digest.
func (j *Jobs) newest(ctx context.Context, id job.ID) (newest job.ID, found bool, err error) {
	runs := strings.TrimSuffix(id.String(), fmt.Sprint(id.N))
	for ref, err := range j.store.List(ctx, artifact.JobEntry(runs)) {
		if err != nil {
			return newest, false, err
		}
		run, isJob := jobOf(ref.Key)
		if isJob && (!found || run.N > newest.N) {
			newest, found = run, true
		}
	}
	return newest, found, nil
}

// jobOf reads the job's id from the key of its entry.
func jobOf(key artifact.Key) (job.ID, bool) {
	id, err := job.ParseID(strings.TrimPrefix(string(key), string(artifact.JobEntries)))
	return id, err == nil
}

// storeJob stores all that the job is, and its entry last. Stored twice, the
// first stays, for both say the same; but where manifest and bundle lie may have changed,
// and the budget.
func (j *Jobs) storeJob(ctx context.Context, id job.ID, s Submission, pages [][]byte) error {
	name := id.String()
	for i, page := range pages {
		if err := j.put(ctx, artifact.Page(name, i), page, artifact.FirstWins); err != nil {
			return err
		}
	}
	if _, err := j.store.Put(ctx, artifact.JobFile(name, "manifest.jsonl"), s.Manifest, artifact.FirstWins); err != nil {
		return err
	}
	if err := j.storeStamp(ctx, id, stamp{V: workflows.Version, Bundle: s.Bundle, Pages: len(pages), Items: len(s.Items)}); err != nil {
		return err
	}
	return errors.Join(j.storeSpec(ctx, id, s.Spec), j.put(ctx, artifact.JobEntry(name), nil, artifact.FirstWins))
}

func (j *Jobs) storeSpec(ctx context.Context, id job.ID, spec job.Spec) error {
	text, err := yaml.Marshal(spec)
	if err != nil {
		return err
	}
	return j.put(ctx, artifact.JobFile(id.String(), "job.yaml"), text, artifact.Replace)
}

func (j *Jobs) put(ctx context.Context, key artifact.Key, content []byte, mode artifact.Mode) error {
	_, err := j.store.Put(ctx, key, bytes.NewReader(content), mode)
	return err
}
