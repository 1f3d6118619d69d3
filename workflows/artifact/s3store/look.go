package s3store

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/winnow-video/winnow/workflows/artifact"
)

// Looking at a bucket is bounded: who opens it waits for an answer.
const (
	lookLimit = 10 * time.Second
	lookTries = 3
)

// ErrNoBucket says that the server has no such bucket.
var ErrNoBucket = errors.New("does not exist")

// look lists one object of the bucket.
func (c Config) look(ctx context.Context) error {
	options, err := c.Options()
	if err != nil {
		return err
	}
	options.MaxRetries = lookTries
	client, err := c.open(options)
	if err != nil {
		return err
	}
	limited, cancel := context.WithTimeout(ctx, lookLimit)
	defer cancel()
	for info := range client.ListObjectsIter(limited, c.Bucket, minio.ListObjectsOptions{Recursive: true, MaxKeys: 1}) {
		return c.Explain(ctx, info.Err)
	}
	return c.Explain(ctx, limited.Err())
}

// Explain says of a request's error in one line what is in the way, and what
// to do about it. It is artifact.ErrUnavailable where waiting can help, nil for nil.
func (c Config) Explain(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	where := fmt.Sprintf("s3 bucket %q at %s", c.Bucket, c.Endpoint)
	answer, text := response(err), oneLine(err)
	code := answer.Code
	mend := ""
	switch {
	case errors.Is(err, ErrNoCredentials):
		return ErrNoCredentials
	case code == minio.NoSuchBucket:
		return fmt.Errorf("%s: %w: make it first, or let `winnow doctor --fix` make it", where, ErrNoBucket)
	case code == "SignatureDoesNotMatch" || code == "InvalidAccessKeyId" || code == "ExpiredToken" || code == "InvalidToken":
		mend = "check s3.access_key and s3.secret_key"
	case code == "RequestTimeTooSkewed":
		mend = "set this machine's clock, or the server's"
	case code == "PermanentRedirect" || code == "AuthorizationHeaderMalformed":
		mend = "check s3.region"
	case code == minio.AccessDenied || answer.StatusCode == http.StatusForbidden:
		mend = "let these credentials list, read, write and delete in the bucket"
	case strings.Contains(text, "x509:") || strings.Contains(text, "tls:"):
		mend = "check s3.tls.ca_file and server_name"
	default:
		mend = "look whether the server runs and s3.endpoint is right"
	}
	return &explained{fmt.Sprintf("%s: %s: %s", where, text, mend), classify(ctx, err)}
}

// explained is an error in other words.
type explained struct {
	text  string
	cause error
}

func (e *explained) Error() string { return e.text }
func (e *explained) Unwrap() error { return e.cause }

// response is what the server answered; zero where it did not.
func response(err error) (r minio.ErrorResponse) {
	errors.As(err, &r)
	return r
}

// oneLine is an error's text without line breaks, and without the URL of a
// request, which says less than the reason.
func oneLine(err error) string {
	var request *url.Error
	if errors.As(err, &request) {
		err = request.Err
	}
	return strings.Join(strings.Fields(err.Error()), " ")
}

// CheckWrites puts a small object under a name of its own and deletes it: what
// may not write had better not begin. It ends within 10 s.
func (s *Store) CheckWrites(ctx context.Context) error {
	limited, cancel := context.WithTimeout(ctx, lookLimit)
	defer cancel()
	key := artifact.Key(".winnow-probe/" + rand.Text())
	_, err := s.Put(limited, key, bytes.NewReader(nil), artifact.Replace)
	if err == nil {
		err = s.core.RemoveObject(limited, s.bucket, string(key), minio.RemoveObjectOptions{})
	}
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case limited.Err() != nil:
		return fmt.Errorf("s3 bucket %q: %w: a write took more than %v", s.bucket, artifact.ErrUnavailable, lookLimit)
	case err != nil:
		return fmt.Errorf("s3 bucket %q: %w: let these credentials put and delete objects in it", s.bucket, err)
	}
	return nil
}
