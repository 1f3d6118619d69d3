package source

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/minio/minio-go/v7"

	"github.com/winnow-video/winnow/workflows/artifact"
	"github.com/winnow-video/winnow/workflows/job"
)

// object is an S3 object under its version, or its ETag and size where the
// bucket keeps no versions. Every read is bound to that ETag.
type object struct {
	client      *minio.Client
	bucket, key string
	info        minio.ObjectInfo
}

func openS3(ctx context.Context, client *minio.Client, video string) (Source, error) {
	bucket, key, ok := strings.Cut(strings.TrimPrefix(video, "s3://"), "/")
	if !ok || bucket == "" || key == "" {
		return nil, job.Fail(job.StageFetch, job.ConfigInvalid, "video %q: want s3://bucket/key", video)
	}
	info, err := client.StatObject(ctx, bucket, key, minio.StatObjectOptions{})
	if err != nil {
		return nil, s3Failure(ctx, video, err)
	}
	return &object{client: client, bucket: bucket, key: key, info: info}, nil
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
	name := fmt.Sprintf("s3://%s/%s", o.bucket, o.key)
	body, _, _, err := minio.Core{Client: o.client}.GetObject(ctx, o.bucket, o.key, opts)
	if err != nil {
		return s3Failure(ctx, name, err)
	}
	defer body.Close()
	if _, err := io.ReadFull(body, p); err != nil {
		return s3Failure(ctx, name, err)
	}
	return nil
}

func s3Failure(ctx context.Context, name string, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	switch minio.ToErrorResponse(err).StatusCode {
	case http.StatusNotFound:
		return job.Fail(job.StageFetch, job.InputMissing, "%s: no such object", name)
	case http.StatusForbidden, http.StatusUnauthorized:
		return job.Fail(job.StageFetch, job.InputForbidden, "%s: access denied", name)
	case http.StatusPreconditionFailed:
		return changed("its ETag differs")
	}
	return job.Fail(job.StageFetch, job.InputUnreachable, "%s: %v", name, err)
}
