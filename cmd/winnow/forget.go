package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/winnow-video/winnow/workers/source"
	"github.com/winnow-video/winnow/workflows/artifact"
	"github.com/winnow-video/winnow/workflows/artifact/life"
	"github.com/winnow-video/winnow/workflows/job"
)

const forgetLong = `Remove what was derived from a video, or from all videos of a job, and print a receipt.

VIDEO is a path, s3:// or https:// as in a manifest; it must still be as it was, since what
was derived goes by its content. Of one that is gone name the source instead: the second part
of kept_ref in its records (--source sha256-…).

Clips, tokens, kept tokens and answers go, and storage is looked through again for what came
back; one JSON line a video says what was removed, and is stored under forgotten/. Results and
records stay: they hold answers, but nothing of the picture. Copies in cache folders of workers
(--cache) are served no more and go when room is needed; empty the folder to have them gone at once.`

func (a *app) forgetCommand() *cobra.Command {
	var sources []string
	c := &cobra.Command{
		Use: "forget [VIDEO|JOB]...", Short: "Remove what was derived from a video or a job", Long: forgetLong,
		Example: "  winnow forget clips/a.mp4\n  winnow forget shapes-060f7ee4.1",
	}
	c.Flags().StringSliceVar(&sources, "source", nil, "source to forget, as records name it in kept_ref")
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(args)+len(sources) == 0 {
			return usagef("missing VIDEO or JOB; see `%s -h`", c.CommandPath())
		}
		s, err := a.attach(c.Context())
		if err != nil {
			return err
		}
		defer s.close()
		return a.forget(c.Context(), s, args, sources)
	}
	return c
}

// forget goes on past what cannot be forgotten, and says so at the end.
func (a *app) forget(ctx context.Context, s *session, args, sources []string) error {
	f, err := a.forgetter(ctx, s)
	if err != nil {
		return err
	}
	var troubles []error
	for _, arg := range args {
		found, err := f.sources(arg)
		troubles = append(troubles, err)
		sources = append(sources, found...)
	}
	slices.Sort(sources)
	for _, source := range slices.Compact(sources) {
		troubles = append(troubles, f.one(source))
	}
	return errors.Join(troubles...)
}

// forgetter forgets, and finds out what that means.
type forgetter struct {
	*app
	*session
	ctx    context.Context // of one command line
	opener source.Opener
}

func (a *app) forgetter(ctx context.Context, s *session) (*forgetter, error) {
	memo, err := source.OpenMemo(filepath.Join(a.state, "sources.jsonl"))
	if err != nil {
		return nil, err
	}
	client, err := source.S3Client(s.Services.S3)
	if err != nil {
		return nil, err
	}
	opener := source.Opener{Local: memo, S3: client, HTTPS: source.PublicClient(), Scratch: os.TempDir()}
	return &forgetter{a, s, ctx, opener}, nil
}

// sources are those of an argument: a job's, or a video's.
func (f *forgetter) sources(arg string) ([]string, error) {
	if id, err := job.ParseID(arg); err == nil {
		return f.sourcesOfJob(id)
	}
	one, err := f.sourceOf(arg)
	if err != nil {
		return nil, err
	}
	return []string{one}, nil
}

func (f *forgetter) sourceOf(video string) (string, error) {
	if !strings.Contains(video, "://") {
		path, err := filepath.Abs(video)
		if err != nil {
			return "", err
		}
		video = path
	}
	const noLimit = math.MaxInt64 // it was within the limits once
	opened, err := f.opener.Open(f.ctx, video, noLimit)
	if err != nil {
		return "", fmt.Errorf("%s: %w", source.Redacted(video), err)
	}
	return opened.ID(), opened.Close()
}

// sourcesOfJob are all that the job derived anything from.
func (f *forgetter) sourcesOfJob(id job.ID) ([]string, error) {
	one, err := f.jobs.Show(f.ctx, id)
	if err != nil {
		return nil, err
	}
	if one.Summary == nil {
		return nil, fmt.Errorf("job %s is not over: cancel it first", id)
	}
	sources, untold := map[string]bool{}, map[string]bool{}
	for r, err := range f.jobs.Results(f.ctx, id) {
		if err != nil {
			return nil, err
		}
		switch source, told := sourceIn(r); {
		case told:
			sources[source] = true
		case r.Failure == nil || r.Failure.Stage != job.StageFetch: // of what was not fetched nothing was made
			untold[r.Video] = true
		}
	}
	var troubles []error
	for _, video := range slices.Sorted(maps.Keys(untold)) {
		source, err := f.sourceOf(video)
		if err != nil {
			troubles = append(troubles, fmt.Errorf("its records do not name its source, and it is not there any more: %w", err))
			continue
		}
		sources[source] = true
	}
	return slices.Collect(maps.Keys(sources)), errors.Join(troubles...)
}

// sourceIn is the source that a record names.
func sourceIn(r job.Record) (source string, ok bool) {
	if r.Result == nil {
		return "", false
	}
	source, _, ok = artifact.Key(r.KeptRef).Derived()
	return source, ok
}

// one forgets a source, and prints and stores the receipt.
func (f *forgetter) one(source string) error {
	receipt, err := life.Forget(f.ctx, f.conn.store, source)
	if err != nil {
		return err
	}
	text, err := json.Marshal(receipt)
	if err != nil {
		return err
	}
	key := artifact.Key("forgotten/" + receipt.At.Format("20060102T150405Z") + "-" + source + ".json")
	if _, err := f.conn.store.Put(f.ctx, key, bytes.NewReader(text), artifact.Replace); err != nil {
		return err
	}
	_, err = fmt.Fprintf(f.out, "%s\n", text)
	return err
}
