package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/winnow-video/winnow/decode/client"
	"github.com/winnow-video/winnow/workers/source"
	"github.com/winnow-video/winnow/workflows/artifact"
	"github.com/winnow-video/winnow/workflows/job"
)

// uploadsAtOnce is how many files are read and sent side by side.
const uploadsAtOnce = 4

// upload sends the plan's local videos to S3, each content once, and has the
// plan's items name them there. Workers of services outside see no file of this
// machine. What was sent already, by anybody, is not sent again.
func (a *app) upload(ctx context.Context, s *session, p *plan) error {
	paths := localVideos(p.items)
	if len(paths) == 0 {
		return nil
	}
	memo, err := source.OpenMemo(filepath.Join(a.state, "sources.jsonl"))
	if err != nil {
		return err
	}
	u := &uploads{
		session: s, opener: source.Opener{Local: memo}, maxBytes: p.spec.Limits.Bytes,
		tell: newTransfer(a, len(paths)), keys: map[string]artifact.Key{}, failed: map[string]error{},
	}
	defer u.tell.close()
	if err := u.all(ctx, paths); err != nil {
		return err
	}
	if err := a.unreadable(p, u.failed); err != nil {
		return err
	}
	for i, item := range p.items {
		if key, sent := u.keys[item.Video]; sent {
			p.items[i].Video = "s3://" + s.Services.S3.Bucket + "/" + string(key)
		}
	}
	return nil
}

// localVideos are the files that items name, each once, in order.
func localVideos(items []job.Item) []string {
	var paths []string
	seen := map[string]bool{}
	for _, item := range items {
		if filepath.IsAbs(item.Video) && !seen[item.Video] {
			seen[item.Video] = true
			paths = append(paths, item.Video)
		}
	}
	return paths
}

// unreadable names the lines whose videos cannot be read, the first of them at least.
func (a *app) unreadable(p *plan, failed map[string]error) error {
	bad := 0
	for _, item := range p.items {
		err, cannot := failed[item.Video]
		if !cannot {
			continue
		}
		if bad++; bad <= maxErrorsShown {
			fmt.Fprintln(a.err, &job.LineError{File: p.spec.Manifest, Line: item.Line, Field: "video", Msg: err.Error()})
		}
	}
	if bad > 0 {
		return usagef("manifest: %d %s of videos that cannot be sent; nothing was run", bad, plural(bad, "line"))
	}
	return nil
}

// uploads is what is sent for one job.
type uploads struct {
	session  *session
	opener   source.Opener
	maxBytes int64
	tell     *transfer

	mu     sync.Mutex
	keys   map[string]artifact.Key // by path: where its content lies
	failed map[string]error        // by path: files that cannot be read
}

// all sends the files. Those that cannot be read are noted, and the others
// sent, so that a user mends the manifest once; S3's refusal ends it.
func (u *uploads) all(ctx context.Context, paths []string) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(uploadsAtOnce)
	for _, path := range paths {
		group.Go(func() error { return u.one(ctx, path) })
	}
	return group.Wait()
}

func (u *uploads) one(ctx context.Context, path string) error {
	src, err := u.opener.Open(ctx, path, u.maxBytes)
	if err != nil {
		return u.note(ctx, path, err)
	}
	defer src.Close()
	file, ok := src.(client.Local)
	if !ok {
		return fmt.Errorf("%s: opened as %T, want a local file", path, src)
	}
	ref := artifact.Ref{SHA256: strings.TrimPrefix(src.ID(), "sha256-"), Size: src.Size()}
	ref.Key = artifact.Video(ref.SHA256, extension(path))
	sent, err := u.session.conn.store.Upload(ctx, ref, file.Opened(), u.tell)
	if err != nil {
		return u.session.Services.S3.Explain(ctx, err)
	}
	if err := file.Unchanged(); err != nil {
		return fmt.Errorf("%s changed while it was sent: submit it again: %w", path, err)
	}
	u.tell.file(sent)
	u.mu.Lock()
	defer u.mu.Unlock()
	u.keys[path] = ref.Key
	return nil
}

// note keeps why a file cannot be read.
func (u *uploads) note(ctx context.Context, path string, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var failure *job.Failure
	if errors.As(err, &failure) {
		err = errors.New(failure.Detail)
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.failed[path] = err
	return nil
}

var plainExtension = regexp.MustCompile(`^\.[a-z0-9]{1,8}$`)

// extension is a path's, in lower case; none where it is anything unusual.
func extension(path string) string {
	return plainExtension.FindString(strings.ToLower(filepath.Ext(path)))
}
