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

Clips, tokens, kept tokens and answers go, and the copy that submitting a local video made in
S3. Storage is looked through again for what came back; one JSON line a video says what was
removed, and is stored under forgotten/. Other jobs about the same video make theirs anew. Results
and records stay: they hold answers, but nothing of the picture. Copies in cache folders of workers
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
	for _, source := range sources {
		f.copies[source] = ""
	}
	var troubles []error
	for _, arg := range args {
		if id, err := job.ParseID(arg); err == nil {
			troubles = append(troubles, f.findJob(ctx, id))
		} else {
			troubles = append(troubles, f.findFile(ctx, arg))
		}
	}
	for _, source := range slices.Sorted(maps.Keys(f.copies)) {
		troubles = append(troubles, f.one(ctx, source))
	}
	return errors.Join(troubles...)
}

// forgetter finds out what is to be forgotten, and forgets it.
type forgetter struct {
	*app
	*session
	opener source.Opener
	copies map[string]artifact.Key // by source: the copy that submit made of a local video, or none
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
	return &forgetter{a, s, opener, map[string]artifact.Key{}}, nil
}

// findFile finds the source of a video as a manifest names it. Where services are
// outside, a local one was copied there, and the copy is the source.
func (f *forgetter) findFile(ctx context.Context, video string) error {
	if strings.Contains(video, "://") {
		return f.find(ctx, video)
	}
	path, err := filepath.Abs(video)
	if err != nil {
		return err
	}
	if !f.outside.Given() {
		return f.find(ctx, path)
	}
	id, err := f.identify(ctx, path)
	if err != nil {
		return err
	}
	return f.find(ctx, f.bucket()+string(artifact.Video(strings.TrimPrefix(id, "sha256-"), extension(path))))
}

// bucket is how the URL of every object in our own bucket begins.
func (f *forgetter) bucket() string { return "s3://" + f.Services.S3.Bucket + "/" }

func (f *forgetter) find(ctx context.Context, video string) error {
	id, err := f.identify(ctx, video)
	if err == nil {
		f.copies[id] = f.copyOf(video)
	}
	return err
}

// copyOf is the key of a video that submit has copied; none of another's.
func (f *forgetter) copyOf(video string) artifact.Key {
	key, ours := strings.CutPrefix(video, f.bucket())
	if !ours || !strings.HasPrefix(key, string(artifact.Videos)) {
		return ""
	}
	return artifact.Key(key)
}

func (f *forgetter) identify(ctx context.Context, video string) (string, error) {
	const noLimit = math.MaxInt64 // it was within the limits once
	opened, err := f.opener.Open(ctx, video, noLimit)
	if err != nil {
		return "", fmt.Errorf("%s: %w", source.Redacted(video), err)
	}
	return opened.ID(), opened.Close()
}

// findJob finds all sources that a job derived anything from.
func (f *forgetter) findJob(ctx context.Context, id job.ID) error {
	one, err := f.jobs.Show(ctx, id)
	if err != nil {
		return err
	}
	if one.Summary == nil {
		return fmt.Errorf("job %s is not over: cancel it first", id)
	}
	untold := map[string]bool{} // videos whose records do not name their source
	for r, err := range f.jobs.Results(ctx, id) {
		if err != nil {
			return err
		}
		switch source, told := sourceIn(r); {
		case told:
			f.copies[source] = f.copyOf(r.Video)
		case r.Failure == nil || r.Failure.Stage != job.StageFetch: // of what was not fetched nothing was made
			untold[r.Video] = true
		}
	}
	var troubles []error
	for _, video := range slices.Sorted(maps.Keys(untold)) {
		if err := f.find(ctx, video); err != nil {
			troubles = append(troubles, fmt.Errorf("its records do not name its source, and it is not there any more: %w", err))
		}
	}
	return errors.Join(troubles...)
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
func (f *forgetter) one(ctx context.Context, source string) error {
	receipt, err := life.Forget(ctx, f.conn.store, source, f.copies[source])
	if err != nil {
		return err
	}
	text, err := json.Marshal(receipt)
	if err != nil {
		return err
	}
	key := artifact.Key("forgotten/" + receipt.At.Format("20060102T150405Z") + "-" + source + ".json")
	if _, err := f.conn.store.Put(ctx, key, bytes.NewReader(text), artifact.Replace); err != nil {
		return err
	}
	_, err = fmt.Fprintf(f.out, "%s\n", text)
	return err
}
