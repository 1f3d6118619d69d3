package s3store

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/minio/minio-go/v7"

	"github.com/winnow-video/winnow/workflows/artifact"
)

// partBytes is the size of a part of a file that is sent in parts.
const partBytes = 64 << 20

// Upload sends a file of any size, in parts where it is large, unless an object
// of its digest lies under its key. body holds ref.Size bytes, whose digest the
// caller has taken. progress is read as bytes are sent, as many as were sent.
func (s *Store) Upload(ctx context.Context, ref artifact.Ref, body io.ReaderAt, progress io.Reader) (sent bool, err error) {
	have, err := s.Stat(ctx, ref.Key)
	if err == nil && have.SHA256 == ref.SHA256 && have.Size == ref.Size {
		return false, nil
	}
	if err != nil && !errors.Is(err, artifact.ErrNotFound) {
		return false, err
	}
	_, err = s.core.Client.PutObject(ctx, s.bucket, string(ref.Key), io.NewSectionReader(body, 0, ref.Size), ref.Size, minio.PutObjectOptions{
		UserMetadata: map[string]string{digestKey: ref.SHA256}, PartSize: partBytes, Progress: progress,
	})
	if err != nil {
		return false, fmt.Errorf("upload %s: %w", ref.Key, classify(ctx, err))
	}
	return true, nil
}
