package workers

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/winnow-video/winnow/workflows"
	"github.com/winnow-video/winnow/workflows/artifact"
	"github.com/winnow-video/winnow/workflows/job"
)

// closePage merges the drafts of a page's videos into its records, in manifest
// order, and accounts for items without a draft. The records are written once:
// whoever closes a page a second time finds and counts what is there.
func (s *stages) closePage(ctx context.Context, in workflows.CloseInput) (workflows.Tally, error) {
	page, err := s.pageOf(ctx, in.PageInput)
	if err != nil {
		return workflows.Tally{}, err
	}
	if len(page.open) == 0 {
		return workflows.Tally{}, nil
	}
	drafts, err := s.drafts(ctx, page, in.PageInput)
	if err != nil {
		return workflows.Tally{}, err
	}
	records, added := page.merge(in, drafts)
	written, err := s.writeOnce(ctx, artifact.PageRecords(in.Job, in.Generation, in.Page), records)
	if err != nil {
		return workflows.Tally{}, err
	}
	if added > 0 {
		s.tellStage(workflows.VideoInput{Run: in.Run, Page: in.Page, Video: len(page.videos)}, job.StageRecord, added, added, 0)
	}
	s.files.forget(in.Job, in.Page)
	return tallyOf(written), nil
}

// drafts reads what the page's videos reported.
func (s *stages) drafts(ctx context.Context, p *page, in workflows.PageInput) (map[workflows.Item]job.Record, error) {
	reports := make([][]job.Record, len(p.videos))
	err := each(ctx, len(reports), storeCalls, func(ctx context.Context, video int) (err error) {
		reports[video], err = s.recordsAt(ctx, artifact.VideoRecords(in.Job, in.Generation, in.Page, video))
		return err
	})
	if err != nil {
		return nil, err
	}
	return p.byItem(reports), nil
}

// recordsAt are the records under key, if there are any.
func (s *stages) recordsAt(ctx context.Context, key artifact.Key) ([]job.Record, error) {
	text, err := s.cfg.Store.Get(ctx, key)
	switch {
	case isGone(err):
		return nil, nil
	case err != nil:
		return nil, err
	}
	records, err := job.ReadLines[job.Record](text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	return records, nil
}

// byItem is the last of each item's records.
func (p *page) byItem(files [][]job.Record) map[workflows.Item]job.Record {
	all := map[workflows.Item]job.Record{}
	at := p.places()
	for _, records := range files {
		for _, r := range records {
			if item, ok := at[place{r.ID, r.Variant}]; ok {
				all[item] = r
			}
		}
	}
	return all
}

// place is what a record says of where it belongs.
type place struct{ id, variant string }

func (p *page) places() map[place]workflows.Item {
	at := make(map[place]workflows.Item, len(p.lines)*len(p.spec.Prune))
	for line, item := range p.lines {
		for variant, pruning := range p.spec.Prune {
			at[place{item.ID, pruning.Variant()}] = workflows.Item{Line: line, Variant: variant}
		}
	}
	return at
}

// merge is one record for every open item; added counts those without a draft.
func (p *page) merge(in workflows.CloseInput, drafts map[workflows.Item]job.Record) (records []job.Record, added int) {
	for _, ask := range p.open {
		for _, variant := range variantsOf(ask, len(p.spec.Prune)) {
			r, drafted := drafts[workflows.Item{Line: ask.Line, Variant: variant}]
			if !drafted {
				r = p.ended(in.Job, ask.Line, variant, openEnd(in.Open))
				added++
			}
			records = append(records, r)
		}
	}
	return records, added
}

// ended is the record of an item that ended without being begun.
func (p *page) ended(jobID string, line, variant int, f *job.Failure) job.Record {
	return failedRecord(identity(jobID, p.lines[line], p.spec.Prune[variant].Variant()), *f)
}

// openEnd is the failure of an item that no Video reported on.
func openEnd(code job.Code) *job.Failure {
	switch code {
	case job.CanceledJob:
		return job.Fail(job.StageRecord, code, "the job was canceled before this item was begun")
	case job.BudgetSpent:
		return job.Fail(job.StageRecord, code, "the job's budget was spent before this item was begun")
	}
	return job.Fail(job.StageRecord, job.InternalLost, "its video ended without a report: retry it")
}

// writeOnce stores records under key and returns what lies there now.
func (s *stages) writeOnce(ctx context.Context, key artifact.Key, records []job.Record) ([]job.Record, error) {
	text, err := job.WriteLines(records)
	if err != nil {
		return nil, err
	}
	ref, err := s.cfg.Store.Put(ctx, key, bytes.NewReader(text), artifact.FirstWins)
	if err != nil {
		return nil, err
	}
	if sum := sha256.Sum256(text); ref.SHA256 == hex.EncodeToString(sum[:]) {
		return records, nil
	}
	first, err := s.cfg.Store.Get(ctx, key)
	if err != nil {
		return nil, err
	}
	return job.ReadLines[job.Record](first)
}

// newest is a page's records, the newest of each item up to a generation.
func (s *stages) newest(ctx context.Context, p *page, jobID string, number, generation int) (map[workflows.Item]job.Record, error) {
	generations := make([][]job.Record, generation+1)
	for g := range generations {
		var err error
		if generations[g], err = s.recordsAt(ctx, artifact.PageRecords(jobID, g, number)); err != nil {
			return nil, err
		}
	}
	return p.byItem(generations), nil
}
