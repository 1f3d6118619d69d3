package workers

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"slices"
	"time"

	"github.com/winnow-video/winnow/workflows"
	"github.com/winnow-video/winnow/workflows/artifact"
	"github.com/winnow-video/winnow/workflows/job"
)

// finalise writes a job's results.jsonl, errors.jsonl, summary.json and
// state.json from its pages' records. Repeated, it writes the same.
func (s *stages) finalise(ctx context.Context, in workflows.FinaliseInput) (workflows.JobResult, error) {
	files, err := newResultFiles(s.cfg.scratch())
	if err != nil {
		return workflows.JobResult{}, err
	}
	defer files.close()
	spec, err := s.files.spec(ctx, in.Job)
	if err != nil {
		return workflows.JobResult{}, err
	}
	sum := newSummation(in, spec)
	for first := 0; first < in.Pages; first += pagesAtOnce {
		if err := s.finalisePages(ctx, in, first, min(pagesAtOnce, in.Pages-first), files, sum); err != nil {
			return workflows.JobResult{}, err
		}
	}
	if err := s.putFinal(ctx, in, files, sum.summary()); err != nil {
		return workflows.JobResult{}, err
	}
	return workflows.JobResult{V: workflows.Version, State: in.State, Tally: sum.tally}, nil
}

// pagesAtOnce are read side by side: a page's records are a few MB at the most.
const pagesAtOnce = 8

// finalisePages appends the newest records of n pages to the files, in their order.
func (s *stages) finalisePages(ctx context.Context, in workflows.FinaliseInput, first, n int, files *resultFiles, sum *summation) error {
	pages := make([][]ending, n)
	err := each(ctx, n, pagesAtOnce, func(ctx context.Context, i int) (err error) {
		pages[i], err = s.endings(ctx, in, first+i)
		return err
	})
	if err != nil {
		return err
	}
	for _, e := range slices.Concat(pages...) {
		sum.add(e.variant, e.record)
		if err := files.write(e.record); err != nil {
			return err
		}
	}
	return nil
}

// ending is an item's newest record.
type ending struct {
	variant int // index into Spec.Prune
	record  job.Record
}

// endings are those of a page, in manifest order. One of the first generation that
// never closed is closed now.
func (s *stages) endings(ctx context.Context, in workflows.FinaliseInput, number int) (all []ending, err error) {
	input := workflows.PageInput{Run: in.Run, Page: number, Retry: in.Retry}
	if err := s.closeUnopened(ctx, in, input); err != nil {
		return nil, err
	}
	page, err := s.pageOf(ctx, input)
	if err != nil {
		return nil, err
	}
	defer s.files.forget(in.Job, number)
	newest, err := s.newest(ctx, page, in.Job, number, in.Generation)
	if err != nil {
		return nil, err
	}
	for line := range page.lines {
		for variant := range page.spec.Prune {
			r, recorded := newest[workflows.Item{Line: line, Variant: variant}]
			if !recorded {
				r = page.ended(in.Job, line, variant, openEnd(job.InternalLost))
			}
			all = append(all, ending{variant, r})
		}
	}
	return all, nil
}

func (s *stages) closeUnopened(ctx context.Context, in workflows.FinaliseInput, page workflows.PageInput) error {
	if in.Generation > 0 {
		return nil // what earlier generations recorded stays
	}
	have, err := s.has(ctx, artifact.PageRecords(in.Job, 0, page.Page))
	if have || err != nil {
		return err
	}
	_, err = s.closePage(ctx, workflows.CloseInput{PageInput: page, Open: in.Open})
	return err
}

func (s *stages) putFinal(ctx context.Context, in workflows.FinaliseInput, files *resultFiles, sum workflows.Summary) error {
	text, err := json.MarshalIndent(sum, "", "  ")
	if err != nil {
		return err
	}
	for _, file := range []struct {
		name string
		body io.ReadSeeker
	}{
		{"results.jsonl", files.results},
		{"errors.jsonl", files.errors},
		{"summary.json", bytes.NewReader(append(text, '\n'))},
	} {
		if _, err := s.cfg.Store.Put(ctx, artifact.JobFile(in.Job, file.name), file.body, artifact.Replace); err != nil {
			return err
		}
	}
	_, err = s.tell(ctx, finalStatus(in, sum))
	return err
}

func finalStatus(in workflows.FinaliseInput, sum workflows.Summary) workflows.Status {
	return workflows.Status{
		V: workflows.Version, Job: in.Job, State: in.State, Generation: in.Generation,
		Pages: in.Pages, PagesDone: in.Pages, Items: in.Items, Variants: in.Variants,
		Tally: sum.Stages, DeviceUS: in.Progress.DeviceUS, Began: sum.Began, Updated: sum.Ended,
	}
}

// resultFiles are the two files of records, on disk until they are whole.
type resultFiles struct{ results, errors *os.File }

func newResultFiles(dir string) (*resultFiles, error) {
	results, err := os.CreateTemp(dir, "results-*")
	if err != nil {
		return nil, err
	}
	failures, err := os.CreateTemp(dir, "errors-*")
	if err != nil {
		return nil, errors.Join(err, discard(results))
	}
	return &resultFiles{results, failures}, nil
}

func (f *resultFiles) write(r job.Record) error {
	text, err := job.WriteLines([]job.Record{r})
	if err != nil {
		return err
	}
	file := f.results
	if r.Status != job.StatusOK {
		file = f.errors
	}
	_, err = file.Write(text)
	return err
}

func (f *resultFiles) close() { _ = errors.Join(discard(f.results), discard(f.errors)) }

func discard(f *os.File) error { return errors.Join(f.Close(), os.Remove(f.Name())) }

// tell stores and publishes where a job stands.
func (s *stages) tell(ctx context.Context, st workflows.Status) (struct{}, error) {
	text, err := json.Marshal(st)
	if err != nil {
		return struct{}{}, err
	}
	_, err = s.cfg.Store.Put(ctx, artifact.JobFile(st.Job, "state.json"), bytes.NewReader(text), artifact.Replace)
	if err != nil {
		return struct{}{}, err
	}
	s.cfg.Bus.Tell(job.Event{
		V: job.Version, Job: st.Job, Kind: job.EventState, Time: time.Now().UTC(), State: st.State, Generation: st.Generation,
	})
	return struct{}{}, nil
}
