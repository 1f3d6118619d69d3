package checkup

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/winnow-video/winnow/workflows/artifact/s3store"
)

// Clocks may differ: S3 refuses signatures that are a quarter of an hour off.
const (
	noticedSkew = 30 * time.Second
	refusedSkew = 15 * time.Minute
)

// S3 checks the clock, the bucket, writing, and that conditions of requests
// are heeded.
func S3(ctx context.Context, c s3store.Config, o Options) []Finding {
	r := &report{service: "s3"}
	if err := c.Validate(); err != nil {
		r.wrong("connection", err, "")
		return r.found
	}
	r.clock(ctx, c)
	store, made, err := openBucket(ctx, c, o.Fix)
	if err != nil {
		r.wrong("bucket", err, "")
		return r.found
	}
	how := "is there"
	if made {
		how = "made"
	}
	r.ok("bucket", "%s at %s: %s", c.Bucket, c.URL(), how)
	if err := store.CheckWrites(ctx); err != nil {
		r.wrong("writing", err, "")
		return r.found
	}
	r.ok("writing", "put and delete work")
	client, err := c.Client()
	if err != nil {
		r.wrong("conditions", err, "")
		return r.found
	}
	r.conditions(ctx, probe{minio.Core{Client: client}, c.Bucket, ".winnow-probe/" + rand.Text()})
	return r.found
}

// openBucket opens the store; with fix, an absent bucket is made.
func openBucket(ctx context.Context, c s3store.Config, fix bool) (_ *s3store.Store, made bool, err error) {
	store, err := s3store.Open(ctx, c)
	if !fix || !errors.Is(err, s3store.ErrNoBucket) {
		return store, false, err
	}
	client, err := c.Client()
	if err != nil {
		return nil, false, err
	}
	if err := client.MakeBucket(ctx, c.Bucket, minio.MakeBucketOptions{Region: c.Region}); err != nil {
		return nil, false, fmt.Errorf("make bucket %s: %w", c.Bucket, c.Explain(ctx, err))
	}
	store, err = s3store.Open(ctx, c)
	return store, true, err
}

// clock compares this machine's with the server's, to the second.
func (r *report) clock(ctx context.Context, c s3store.Config) {
	skew, err := skewOf(ctx, c)
	said := fmt.Sprintf("%v off S3's", skew.Round(time.Second))
	mend := "set this machine's clock (chrony, systemd-timesyncd), or the server's"
	switch {
	case err != nil: // whatever it is, opening the bucket says it better
	case skew.Abs() >= refusedSkew:
		r.wrong("clock", fmt.Errorf("%s: requests are refused", said), mend)
	case skew.Abs() >= noticedSkew:
		r.warn("clock", said, mend)
	default:
		r.ok("clock", "%s", said)
	}
}

func skewOf(ctx context.Context, c s3store.Config) (time.Duration, error) {
	options, err := c.Options()
	if err != nil {
		return 0, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.URL(), nil)
	if err != nil {
		return 0, err
	}
	client := http.Client{Transport: options.Transport, Timeout: 5 * time.Second}
	began := time.Now()
	resp, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	resp.Body.Close()
	theirs, err := http.ParseTime(resp.Header.Get("Date"))
	if err != nil {
		return 0, err
	}
	ours := began.Add(time.Since(began) / 2)
	return ours.Sub(theirs.Add(time.Second / 2)), nil
}

// probe is an object to try conditions on.
type probe struct {
	core   minio.Core
	bucket string
	key    string
}

// conditions tries what first-writer-wins and reading one version rest on.
func (r *report) conditions(ctx context.Context, p probe) {
	defer func() {
		_ = p.core.RemoveObject(context.WithoutCancel(ctx), p.bucket, p.key, minio.RemoveObjectOptions{}) // CheckWrites has told of deleting
	}()
	var unless minio.PutObjectOptions
	unless.SetMatchETagExcept("*")
	if err := p.put(ctx, unless); err != nil {
		r.wrong("conditional writes", fmt.Errorf("the first write with If-None-Match: %w", err), wantsConditions)
		return
	}
	switch err := p.put(ctx, unless); {
	case err == nil:
		r.wrong("conditional writes", fmt.Errorf("If-None-Match is ignored: a second write took the first one's place"), wantsConditions)
	case minio.ToErrorResponse(err).StatusCode != http.StatusPreconditionFailed:
		r.wrong("conditional writes", fmt.Errorf("the second write with If-None-Match: %w, want 412", err), wantsConditions)
	default:
		r.ok("conditional writes", "If-None-Match lets the first writer win")
	}
	r.reads(ctx, p)
}

const wantsConditions = "use a server that has conditional requests, as Amazon's, MinIO and versitygw have"

func (p probe) put(ctx context.Context, o minio.PutObjectOptions) error {
	_, err := p.core.PutObject(ctx, p.bucket, p.key, bytes.NewReader([]byte("winnow")), 6, "", "", o)
	return err
}

// reads reads a range under the object's ETag, and under another one.
func (r *report) reads(ctx context.Context, p probe) {
	info, err := p.core.StatObject(ctx, p.bucket, p.key, minio.StatObjectOptions{})
	if err != nil {
		r.wrong("reads", err, "")
		return
	}
	part, err := p.read(ctx, info.ETag)
	if err != nil || part != "inn" {
		r.wrong("reads", fmt.Errorf("bytes 1 to 3 of %q are %q (%v)", "winnow", part, err), wantsConditions)
		return
	}
	if _, err := p.read(ctx, "0123456789abcdef0123456789abcdef"); minio.ToErrorResponse(err).StatusCode != http.StatusPreconditionFailed {
		r.wrong("reads", fmt.Errorf("If-Match with another ETag is answered with %v, want 412: a video that changes would be read as a mixture", err), wantsConditions)
		return
	}
	r.ok("reads", "ranges, bound to one version by If-Match")
}

func (p probe) read(ctx context.Context, etag string) (string, error) {
	var o minio.GetObjectOptions
	if err := o.SetMatchETag(etag); err != nil {
		return "", err
	}
	if err := o.SetRange(1, 3); err != nil {
		return "", err
	}
	body, _, _, err := p.core.GetObject(ctx, p.bucket, p.key, o)
	if err != nil {
		return "", err
	}
	defer body.Close()
	text, err := io.ReadAll(body)
	return string(text), err
}
