// Package s3store is the artifact.Store on an S3 bucket.
//
// An object carries the SHA-256 of its content as user metadata. Get checks it
// and deletes what differs. The first writer wins by If-None-Match. Requests
// are repeated by the client itself; what still fails then is
// artifact.ErrUnavailable where waiting can help.
package s3store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/minio/minio-go/v7"

	"github.com/winnow-video/winnow/workflows/artifact"
)

// digestKey is the user metadata that holds the content's SHA-256 in hex, as
// the client returns it: x-amz-meta-sha256 on the wire.
const digestKey = "Sha256"

// Store keeps objects in one bucket.
type Store struct {
	core   minio.Core
	bucket string
}

// Open checks that the bucket exists and may be listed. What is in the way is
// said within 10 s.
func Open(ctx context.Context, c Config) (*Store, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	client, err := c.Client()
	if err != nil {
		return nil, err
	}
	if err := c.look(ctx); err != nil {
		return nil, err
	}
	return &Store{core: minio.Core{Client: client}, bucket: c.Bucket}, nil
}

// Get implements artifact.Store. The object is read once, into a slice of its size.
func (s *Store) Get(ctx context.Context, key artifact.Key) ([]byte, error) {
	body, info, _, err := s.core.GetObject(ctx, s.bucket, string(key), minio.GetObjectOptions{})
	if err != nil {
		return nil, fmt.Errorf("get %s: %w", key, classify(ctx, err))
	}
	defer body.Close()
	content := make([]byte, info.Size)
	if _, err := io.ReadFull(body, content); err != nil {
		return nil, fmt.Errorf("get %s: %w", key, classify(ctx, err))
	}
	return s.checked(ctx, key, content, info.UserMetadata[digestKey])
}

// checked deletes an object whose content is not what its digest says.
func (s *Store) checked(ctx context.Context, key artifact.Key, content []byte, want string) ([]byte, error) {
	if want == "" {
		return nil, fmt.Errorf("get %s: the object has no sha256 in its metadata, so Winnow did not write it", key)
	}
	if got := sha256.Sum256(content); hex.EncodeToString(got[:]) == want {
		return content, nil
	}
	if err := s.Remove(ctx, key); err != nil {
		return nil, fmt.Errorf("%w, which is corrupt", err)
	}
	return nil, fmt.Errorf("get %s: %w", key, artifact.ErrCorrupt)
}

// Stat implements artifact.Store.
func (s *Store) Stat(ctx context.Context, key artifact.Key) (artifact.Ref, error) {
	info, err := s.core.StatObject(ctx, s.bucket, string(key), minio.StatObjectOptions{})
	if err != nil {
		return artifact.Ref{}, fmt.Errorf("stat %s: %w", key, classify(ctx, err))
	}
	return artifact.Ref{Key: key, SHA256: info.UserMetadata[digestKey], Size: info.Size, Modified: info.LastModified}, nil
}

// Put implements artifact.Store. It reads body twice: for the digest, and to
// send it as one request, since only a whole object is conditional everywhere.
func (s *Store) Put(ctx context.Context, key artifact.Key, body io.ReadSeeker, mode artifact.Mode) (artifact.Ref, error) {
	ref, err := describe(key, body)
	if err != nil {
		return artifact.Ref{}, fmt.Errorf("put %s: %w", key, err)
	}
	if mode == artifact.Replace {
		return ref, s.send(ctx, ref, body, minio.PutObjectOptions{})
	}
	return s.adopt(ctx, ref, body)
}

// adopt sends the object unless there is one, which it returns then. An object
// may be gone again when it is looked at, or not yet be there: one more attempt decides.
func (s *Store) adopt(ctx context.Context, ref artifact.Ref, body io.ReadSeeker) (artifact.Ref, error) {
	var opts minio.PutObjectOptions
	opts.SetMatchETagExcept("*")
	for {
		err := s.send(ctx, ref, body, opts)
		if !isTaken(err) {
			return ref, err
		}
		winner, err := s.Stat(ctx, ref.Key)
		if !errors.Is(err, artifact.ErrNotFound) {
			return winner, err
		}
	}
}

// send signs the request with the digest it has, so that the body travels as it
// is and the server checks it. The client closes what it can: not the caller's body.
func (s *Store) send(ctx context.Context, ref artifact.Ref, body io.ReadSeeker, opts minio.PutObjectOptions) error {
	opts.UserMetadata = map[string]string{digestKey: ref.SHA256}
	opts.DisableContentSha256 = true
	unclosed := struct{ io.ReadSeeker }{body}
	_, err := s.core.PutObject(ctx, s.bucket, string(ref.Key), unclosed, ref.Size, "", ref.SHA256, opts)
	if err != nil {
		return fmt.Errorf("put %s: %w", ref.Key, classify(ctx, err))
	}
	return nil
}

// List implements artifact.Store.
func (s *Store) List(ctx context.Context, prefix artifact.Key) iter.Seq2[artifact.Ref, error] {
	return func(yield func(artifact.Ref, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel() // the client's listing goroutine ends with it
		opts := minio.ListObjectsOptions{Prefix: string(prefix), Recursive: true}
		for info := range s.core.ListObjectsIter(ctx, s.bucket, opts) {
			if info.Err != nil {
				yield(artifact.Ref{}, fmt.Errorf("list %s: %w", prefix, classify(ctx, info.Err)))
				return
			}
			if !yield(artifact.Ref{Key: artifact.Key(info.Key), Size: info.Size, Modified: info.LastModified}, nil) {
				return
			}
		}
		if err := ctx.Err(); err != nil {
			yield(artifact.Ref{}, fmt.Errorf("list %s: %w", prefix, err))
		}
	}
}

// Remove implements artifact.Keeper.
func (s *Store) Remove(ctx context.Context, key artifact.Key) error {
	if err := s.core.RemoveObject(ctx, s.bucket, string(key), minio.RemoveObjectOptions{}); err != nil {
		return fmt.Errorf("remove %s: %w", key, classify(ctx, err))
	}
	return nil
}

// describe reads body from its start to its end.
func describe(key artifact.Key, body io.ReadSeeker) (artifact.Ref, error) {
	if _, err := body.Seek(0, io.SeekStart); err != nil {
		return artifact.Ref{}, err
	}
	hash := sha256.New()
	size, err := io.Copy(hash, body)
	return artifact.Ref{Key: key, SHA256: hex.EncodeToString(hash.Sum(nil)), Size: size}, err
}
