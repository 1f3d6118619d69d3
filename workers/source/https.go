package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"

	"github.com/winnow-video/winnow/workflows/artifact"
	"github.com/winnow-video/winnow/workflows/job"
)

// page is a URL whose server reads by range and names the content by a strong ETag.
type page struct {
	link
	client *http.Client
	url    string
	etag   string
	size   int64
}

func openHTTPS(ctx context.Context, o Opener, video string, maxBytes int64) (s Source, err error) {
	at := o.origins().ofURL(video)
	err = at.do(ctx, func(ctx context.Context) error {
		s, err = o.probe(ctx, at, video, maxBytes)
		return err
	})
	return s, err
}

// probe asks for the first byte. A server that does not answer with a range
// and a strong ETag is downloaded whole instead.
func (o Opener) probe(ctx context.Context, at *origin, video string, maxBytes int64) (Source, error) {
	ctx, hush := context.WithCancelCause(ctx)
	defer hush(nil)
	resp, err := get(ctx, o.HTTPS, video, "bytes=0-0", "")
	if err != nil {
		return nil, err
	}
	size, ranged := totalSize(resp)
	etag := resp.Header.Get("ETag")
	if ranged && strings.HasPrefix(etag, `"`) {
		resp.Body.Close()
		return newPage(at, o.HTTPS, video, etag, size), nil
	}
	if resp.StatusCode == http.StatusPartialContent {
		resp.Body.Close()
		if resp, err = get(ctx, o.HTTPS, video, "", ""); err != nil {
			return nil, err
		}
	}
	defer resp.Body.Close()
	return spool(ctx, listener{resp.Body, at.limits.Silence, hush}, video, o.Scratch, maxBytes)
}

func newPage(at *origin, client *http.Client, video, etag string, size int64) *page {
	broke := func(ctx context.Context, err error) error { return transportFailure(ctx, video, err) }
	return &page{link: link{origin: at, failure: broke}, client: client, url: video, etag: etag, size: size}
}

// totalSize reads `Content-Range: bytes 0-0/12345`.
func totalSize(resp *http.Response) (size int64, ok bool) {
	if resp.StatusCode != http.StatusPartialContent {
		return 0, false
	}
	_, err := fmt.Sscanf(resp.Header.Get("Content-Range"), "bytes 0-0/%d", &size)
	return size, err == nil
}

// get requests video, or a range of what still has that ETag. Its errors never
// show the URL's query.
func get(ctx context.Context, client *http.Client, video, span, etag string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, video, nil)
	if err != nil {
		return nil, job.Fail(job.StageFetch, job.ConfigInvalid, "video %s: not a URL", Redacted(video))
	}
	if span != "" {
		req.Header.Set("Range", span)
	}
	if etag != "" {
		req.Header.Set("If-Match", etag)
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, transportFailure(ctx, video, err)
	}
	if later := asksToWait(resp); later != nil {
		resp.Body.Close()
		return nil, later
	}
	if resp.StatusCode >= 300 {
		resp.Body.Close()
		return nil, statusFailure(video, resp.StatusCode)
	}
	return resp, nil
}

func (p *page) ID() string {
	return "https-" + artifact.Digest([]any{unsigned(p.url), p.etag, p.size})
}

func (p *page) Size() int64  { return p.size }
func (p *page) Close() error { return nil }

func (p *page) ReadRange(ctx context.Context, b []byte, off int64) error {
	return p.fill(ctx, b, func(ctx context.Context) (io.ReadCloser, error) {
		return p.request(ctx, rangeOf(off, len(b)))
	})
}

func (p *page) request(ctx context.Context, span string) (io.ReadCloser, error) {
	resp, err := get(ctx, p.client, p.url, "bytes="+span, p.etag)
	if err != nil {
		return nil, err
	}
	switch {
	case resp.StatusCode != http.StatusPartialContent || resp.Header.Get("ETag") != p.etag:
		err = changed("its ETag differs")
	case !hasRange(resp.Header, span):
		err = job.Fail(job.StageFetch, job.InputUnreachable, "%s answers another range than was asked for", Redacted(p.url))
	default:
		return resp.Body, nil
	}
	resp.Body.Close()
	return nil, err
}

// unsigned is the URL without the parameters that sign it: the same content is
// the same source under tomorrow's signature.
func unsigned(video string) string {
	u, err := url.Parse(video)
	if err != nil {
		return video
	}
	query := u.Query()
	for name := range query {
		if signs(strings.ToLower(name)) {
			query.Del(name)
		}
	}
	u.User, u.RawQuery, u.Fragment = nil, query.Encode(), ""
	return u.String()
}

func signs(param string) bool {
	switch param {
	case "awsaccesskeyid", "googleaccessid", "signature", "expires", "policy", "key-pair-id", "token",
		"sig", "se", "sp", "sv", "sr", "st", "spr", "skoid", "sktid", "skt", "ske", "sks", "skv":
		return true
	}
	return strings.HasPrefix(param, "x-amz-") || strings.HasPrefix(param, "x-goog-")
}

func transportFailure(ctx context.Context, video string, err error) error {
	if stop := ended(ctx); stop != nil {
		return stop
	}
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	var refused *refusedAddress
	if errors.As(err, &refused) {
		return job.Fail(job.StageFetch, job.InputForbidden, "%s: %v", Redacted(video), refused)
	}
	var about *url.Error
	if errors.As(err, &about) {
		err = about.Err // about names the URL, query and all
	}
	return &broken{job.Fail(job.StageFetch, job.InputUnreachable, "%s: %v", Redacted(video), err)}
}

func statusFailure(video string, status int) error {
	code := job.InputUnreachable
	switch status {
	case http.StatusNotFound, http.StatusGone:
		code = job.InputMissing
	case http.StatusUnauthorized, http.StatusForbidden:
		code = job.InputForbidden
	case http.StatusPreconditionFailed:
		code = job.InputChanged
	}
	err := job.Fail(job.StageFetch, code, "%s answers %d %s", Redacted(video), status, http.StatusText(status))
	if status >= 500 {
		return &broken{err}
	}
	return err
}

// spooled is a downloaded copy under the digest of its content, gone when closed.
type spooled struct {
	*os.File
	size   int64
	digest string
}

func spool(ctx context.Context, body io.Reader, video, scratch string, maxBytes int64) (Source, error) {
	copied, err := os.CreateTemp(scratch, "source-*")
	if err != nil {
		return nil, err
	}
	s := &spooled{File: copied}
	if err := s.fill(ctx, io.LimitReader(body, maxBytes+1), video); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func (s *spooled) fill(ctx context.Context, body io.Reader, video string) (err error) {
	if err := os.Remove(s.Name()); err != nil { // the open file is all that is needed of it
		return err
	}
	s.size, err = io.Copy(s.File, body)
	switch {
	case errors.Is(err, syscall.ENOSPC):
		return job.Fail(job.StageFetch, job.CapacityDisk, "download %s: %v", Redacted(video), err)
	case err != nil:
		return transportFailure(ctx, video, err)
	}
	if _, err := s.Seek(0, io.SeekStart); err != nil {
		return err
	}
	s.digest, err = digestOf(ctx, s.File)
	return err
}

func (s *spooled) ID() string  { return "sha256-" + s.digest }
func (s *spooled) Size() int64 { return s.size }

func (s *spooled) ReadRange(_ context.Context, p []byte, off int64) error {
	_, err := s.ReadAt(p, off)
	return err
}
