// Package source opens videos wherever a manifest may point: a local file, an
// S3 object, an HTTPS URL. What comes out can be read by range and has an
// identity, so that everything made of it can be found again; one whose content
// changes in between is refused rather than mixed. An origin far away is asked
// for only so much at once, and left alone while it asks to wait.
//
// Package workers is its one user. Errors are failures of stage fetch.
package source

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/minio/minio-go/v7"

	"github.com/winnow-video/winnow/workflows/job"
)

// Source is an opened video. Close it. It is safe for concurrent use.
type Source interface {
	// ID names the content, not the place: one path element, free of secrets.
	ID() string
	// Size is in bytes.
	Size() int64
	// ReadRange fills p from off, or returns a failure; input/changed where the
	// content is no longer what ID names.
	ReadRange(ctx context.Context, p []byte, off int64) error
	// Close releases what the source holds.
	Close() error
}

// Opener opens sources. Its zero value opens none.
type Opener struct {
	Local   *Memo         // digests of local files; nil: files are refused
	S3      *minio.Client // nil: s3:// is refused; see S3Client
	HTTPS   *http.Client  // nil: https:// is refused; see PublicClient
	Origins *Origins      // limits that sources share; nil: each has the default limits to itself
	Scratch string        // folder for what cannot be read by range
}

func (o Opener) origins() *Origins {
	if o.Origins == nil {
		return NewOrigins(OriginLimits{})
	}
	return o.Origins
}

// Open opens the video of an item: an absolute path, s3://bucket/key or an
// https URL. One of more than maxBytes is input/too_large.
func (o Opener) Open(ctx context.Context, video string, maxBytes int64) (Source, error) {
	s, err := o.open(ctx, video, maxBytes)
	if err != nil {
		return nil, err
	}
	if err := checkSize(s.Size(), maxBytes); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func (o Opener) open(ctx context.Context, video string, maxBytes int64) (Source, error) {
	switch {
	case strings.HasPrefix(video, "s3://") && o.S3 != nil:
		return openS3(ctx, o, video)
	case strings.HasPrefix(video, "https://") && o.HTTPS != nil:
		return openHTTPS(ctx, o, video, maxBytes)
	case strings.HasPrefix(video, "/") && o.Local != nil:
		return openFile(ctx, video, o.Local)
	}
	return nil, job.Fail(job.StageFetch, job.ConfigInvalid, "video %q: this worker reads no such source", Redacted(video))
}

func checkSize(size, maxBytes int64) error {
	switch {
	case size == 0:
		return job.Fail(job.StageFetch, job.InputEmpty, "the file is empty")
	case size > maxBytes:
		return job.Fail(job.StageFetch, job.InputTooLarge, "the file has %d bytes, limits.bytes allows %d", size, maxBytes)
	}
	return nil
}

// Redacted is video without what a URL may hide: user, query and fragment.
func Redacted(video string) string {
	if !strings.HasPrefix(video, "https://") {
		return video
	}
	u, err := url.Parse(video)
	if err != nil {
		return "https://(not a URL)"
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	return u.String()
}

func changed(what string) error {
	return job.Fail(job.StageFetch, job.InputChanged, "the content changed while it was read (%s): run the job again", what)
}
