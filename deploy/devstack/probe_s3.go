package main

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// probeObject is written, read and removed at each start. No key of Winnow's begins with a dot.
const probeObject = ".devstack-probe"

// probeS3 makes the bucket if it is missing, and sees it keep an object.
func probeS3(ctx context.Context, port int, key s3Key) error {
	c, err := minio.New(address(port), &minio.Options{Creds: credentials.NewStaticV4(key.Access, key.Secret, ""), Region: s3Region})
	if err != nil {
		return err
	}
	exists, err := c.BucketExists(ctx, s3Bucket)
	if err == nil && !exists {
		err = c.MakeBucket(ctx, s3Bucket, minio.MakeBucketOptions{Region: s3Region})
	}
	if err != nil {
		return err
	}
	return keepsObject(ctx, c)
}

func keepsObject(ctx context.Context, c *minio.Client) error {
	want := []byte("winnow")
	if _, err := c.PutObject(ctx, s3Bucket, probeObject, bytes.NewReader(want), int64(len(want)), minio.PutObjectOptions{}); err != nil {
		return err
	}
	object, err := c.GetObject(ctx, s3Bucket, probeObject, minio.GetObjectOptions{})
	if err != nil {
		return err
	}
	defer object.Close()
	got, err := io.ReadAll(object)
	if err != nil {
		return err
	}
	if !bytes.Equal(got, want) {
		return fmt.Errorf("object %s: put %q, got %q", probeObject, want, got)
	}
	return c.RemoveObject(ctx, s3Bucket, probeObject, minio.RemoveObjectOptions{})
}
