package workers

import (
	"context"
	"fmt"
	"sync"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/winnow-video/winnow/infer/bundle"
	"github.com/winnow-video/winnow/workflows"
	"github.com/winnow-video/winnow/workflows/artifact"
	"github.com/winnow-video/winnow/workflows/job"
)

// jobFiles reads what a job's stages share, and keeps what was read last: job
// files, pages and bundles never change.
type jobFiles struct {
	store   artifact.Store
	specs   *lru.Cache[string, job.Spec]
	pages   *lru.Cache[artifact.Key, []job.Item]
	opening sync.Mutex
	bundles map[string]*bundle.Bundle // by digest; a process meets a few
}

func newJobFiles(store artifact.Store) (*jobFiles, error) {
	specs, err := lru.New[string, job.Spec](256)
	if err != nil {
		return nil, err
	}
	pages, err := lru.New[artifact.Key, []job.Item](32)
	return &jobFiles{store: store, specs: specs, pages: pages, bundles: map[string]*bundle.Bundle{}}, err
}

// spec is the job's, defaults filled in.
func (f *jobFiles) spec(ctx context.Context, id string) (job.Spec, error) {
	if spec, ok := f.specs.Get(id); ok {
		return spec, nil
	}
	key := artifact.JobFile(id, "job.yaml")
	text, err := f.read(ctx, key)
	if err != nil {
		return job.Spec{}, err
	}
	spec, err := job.ParseSpec(text, string(key))
	if err != nil {
		// Who submitted the job had read it.
		return job.Spec{}, &foreign{job.Fail(job.StageRecord, job.InternalVersion, "another release of Winnow wrote it: %v", err)}
	}
	spec = spec.WithDefaults()
	f.specs.Add(id, spec)
	return spec, nil
}

// page is the items of a page, in manifest order.
func (f *jobFiles) page(ctx context.Context, key artifact.Key) ([]job.Item, error) {
	if items, ok := f.pages.Get(key); ok {
		return items, nil
	}
	text, err := f.read(ctx, key)
	if err != nil {
		return nil, err
	}
	items, err := job.ReadLines[job.Item](text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	f.pages.Add(key, items)
	return items, nil
}

// forget drops a page that is closed, so that memory does not grow with a job.
func (f *jobFiles) forget(jobID string, page int) { f.pages.Remove(artifact.Page(jobID, page)) }

// read reads a file that submitting the job has stored. Nobody makes one that
// is gone again, so waiting would not help.
func (f *jobFiles) read(ctx context.Context, key artifact.Key) ([]byte, error) {
	text, err := f.store.Get(ctx, key)
	if isGone(err) {
		return nil, job.Fail(job.StageRecord, job.ConfigInvalid, "%s is gone: submit the job again", key)
	}
	return text, err
}

// bundle is the run's, verified once a process. One of another digest than the
// job was submitted with is refused.
func (f *jobFiles) bundle(ctx context.Context, run workflows.Run) (*bundle.Bundle, error) {
	spec, err := f.spec(ctx, run.Job)
	if err != nil {
		return nil, err
	}
	f.opening.Lock()
	defer f.opening.Unlock()
	if b, ok := f.bundles[run.Bundle]; ok {
		return b, nil
	}
	b, err := bundle.Open(ctx, spec.Bundle)
	if err != nil {
		return nil, err
	}
	if b.Digest() != run.Bundle {
		err := job.Fail(job.StageFetch, job.ConfigBundle, "%s has digest %.12s, the job was submitted with %.12s: submit it again",
			spec.Bundle, b.Digest(), run.Bundle)
		b.Close()
		return nil, err
	}
	f.bundles[run.Bundle] = b
	return b, nil
}

func (f *jobFiles) close() {
	f.opening.Lock()
	defer f.opening.Unlock()
	for digest, b := range f.bundles {
		b.Close()
		delete(f.bundles, digest)
	}
}
