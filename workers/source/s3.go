package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"

	"github.com/minio/minio-go/v7"

	"github.com/winnow-video/winnow/workflows/artifact"
	"github.com/winnow-video/winnow/workflows/artifact/s3store"
	"github.com/winnow-video/winnow/workflows/job"
)

// S3Client is a client of the server that c's bucket is on, as Opener wants it:
// it tells of answers that ask to wait, and tries nothing again by itself.
func S3Client(c s3store.Config) (*minio.Client, error) {
	options, err := c.Options()
	if err != nil {
		return nil, err
	}
	options.Transport, options.MaxRetries = telling{options.Transport}, 1
	client, err := minio.New(c.Endpoint, options)
	if err != nil {
		return nil, fmt.Errorf("s3.endpoint %q: %w", c.Endpoint, err)
	}
	return client, nil
}

// telling makes an error of an answer that asks to wait: minio's own says nothing
// of the answer's header, which may say for how long.
type telling struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (t telling) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	if later := asksToWait(resp); later != nil {
		resp.Body.Close()
		return nil, later
	}
	return resp, nil
}

// object is an S3 object under its version, or its ETag and size where the
// bucket keeps no versions. Every read is bound to that ETag.
type object struct {
	link
	client      *minio.Client
	bucket, key string
	info        minio.ObjectInfo
}

func openS3(ctx context.Context, o Opener, video string) (Source, error) {
	bucket, key, ok := strings.Cut(strings.TrimPrefix(video, "s3://"), "/")
	if !ok || bucket == "" || key == "" {
		return nil, job.Fail(job.StageFetch, job.ConfigInvalid, "video %q: want s3://bucket/key", video)
	}
	at := o.origins().of(o.S3.EndpointURL().String() + "/" + bucket)
	broke := func(ctx context.Context, err error) error { return s3Failure(ctx, video, err) }
	s := &object{link: link{origin: at, failure: broke}, client: o.S3, bucket: bucket, key: key}
	if err := at.do(ctx, s.stat); err != nil {
		return nil, err
	}
	return s, nil
}

func (o *object) stat(ctx context.Context) (err error) {
	if o.info, err = o.client.StatObject(ctx, o.bucket, o.key, minio.StatObjectOptions{}); err != nil {
		return o.failure(ctx, err)
	}
	return nil
}

func (o *object) ID() string {
	version := []any{"version", o.info.VersionID}
	if o.info.VersionID == "" {
		version = []any{"etag", o.info.ETag, o.info.Size}
	}
	return "s3-" + artifact.Digest([]any{o.bucket, o.key, version})
}

func (o *object) Size() int64  { return o.info.Size }
func (o *object) Close() error { return nil }

func (o *object) ReadRange(ctx context.Context, p []byte, off int64) error {
	opts := minio.GetObjectOptions{VersionID: o.info.VersionID}
	if err := opts.SetMatchETag(o.info.ETag); err != nil {
		return err
	}
	if err := opts.SetRange(off, off+int64(len(p))-1); err != nil {
		return err
	}
	return o.fill(ctx, p, func(ctx context.Context) (io.ReadCloser, error) {
		return o.request(ctx, opts, rangeOf(off, len(p)))
	})
}

func (o *object) request(ctx context.Context, opts minio.GetObjectOptions, span string) (io.ReadCloser, error) {
	body, _, header, err := minio.Core{Client: o.client}.GetObject(ctx, o.bucket, o.key, opts)
	if err != nil {
		return nil, o.failure(ctx, err)
	}
	if !hasRange(header, span) {
		body.Close()
		return nil, job.Fail(job.StageFetch, job.InputUnreachable, "s3://%s/%s: the server answers another range than was asked for", o.bucket, o.key)
	}
	return body, nil
}

func s3Failure(ctx context.Context, name string, err error) error {
	if stop := ended(ctx); stop != nil {
		return stop
	}
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if later := s3Busy(err); later != nil {
		return later
	}
	status := minio.ToErrorResponse(err).StatusCode
	switch status {
	case http.StatusNotFound:
		return job.Fail(job.StageFetch, job.InputMissing, "%s: no such object", name)
	case http.StatusForbidden, http.StatusUnauthorized:
		return job.Fail(job.StageFetch, job.InputForbidden, "%s: access denied", name)
	case http.StatusPreconditionFailed:
		return changed("its ETag differs")
	}
	failed := job.Fail(job.StageFetch, job.InputUnreachable, "%s: %v", name, err)
	if status == 0 || status >= 500 { // 0: the connection broke
		return &broken{failed}
	}
	return failed
}

// s3Busy finds the wish to wait that telling saw, or that a code tells of: some
// servers send it under another status. A server that cannot be reached at all is
// waited for like one that asks for it: it is the one that holds everything else,
// and its absence says nothing of the video.
func s3Busy(err error) *busy {
	var later *busy
	if errors.As(err, &later) {
		return later
	}
	var dial *net.OpError
	if errors.As(err, &dial) && dial.Op == "dial" {
		return &busy{answer: dial.Error()}
	}
	answer := minio.ToErrorResponse(err)
	switch answer.Code {
	case "SlowDown", "SlowDownRead", "ServiceUnavailable", "RequestLimitExceeded", "RequestThrottled",
		"Throttling", "ThrottlingException", "TooManyRequests":
		return &busy{answer: "it answers " + answer.Code}
	}
	if answer.StatusCode == http.StatusServiceUnavailable || answer.StatusCode == http.StatusTooManyRequests {
		return &busy{answer: fmt.Sprintf("it answers %d", answer.StatusCode)} // to a client that is not telling
	}
	return nil
}
