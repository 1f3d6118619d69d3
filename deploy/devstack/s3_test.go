package main

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/minio/minio-go/v7"
)

// TestConditionalPut lets many clients put one key that must not exist yet: one of them wins, the others are told so, and the
// object is the winner's. It holds for both ways of keeping metadata.
func TestConditionalPut(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(t *testing.T, dir string){
		"extended attributes": func(*testing.T, string) {},
		"files beside": func(t *testing.T, dir string) {
			if err := os.Mkdir(filepath.Join(dir, "metadata"), 0o700); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			prepare(t, dir)
			in := startIn(t, dir)
			for round := range 5 {
				oneWinner(t, in, "key/"+strconv.Itoa(round), 32, 10_000)
			}
			oneWinner(t, in, "large", 4, 20<<20)
			in.stop(t, syscall.SIGTERM)
		})
	}
}

func oneWinner(t *testing.T, in *instance, key string, clients, bodyBytes int) {
	t.Helper()
	var winners atomic.Int32
	var winner atomic.Value
	var all sync.WaitGroup
	c := in.s3Client(t)
	for i := range clients {
		all.Go(func() {
			body := bytes.Repeat([]byte{byte(i)}, bodyBytes)
			opts := minio.PutObjectOptions{DisableMultipart: true} // minio-go forgets the condition when it puts parts
			opts.SetMatchETagExcept("*")
			_, err := c.PutObject(t.Context(), in.S3.Bucket, key, bytes.NewReader(body), int64(len(body)), opts)
			switch status := minio.ToErrorResponse(err).StatusCode; {
			case err == nil:
				winners.Add(1)
				winner.Store(body)
			case status != http.StatusPreconditionFailed && status != http.StatusConflict:
				t.Errorf("client %d: %v", i, err)
			}
		})
	}
	all.Wait()
	if n := winners.Load(); n != 1 {
		t.Fatalf("%s: %d winners among %d", key, n, clients)
	}
	object, err := c.GetObject(t.Context(), in.S3.Bucket, key, minio.GetObjectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer object.Close()
	if got, err := io.ReadAll(object); err != nil || !bytes.Equal(got, winner.Load().([]byte)) {
		t.Errorf("%s: the object is not the winner's (%d bytes, %v)", key, len(got), err)
	}
}

// TestMultipart stores and ranges over an object of several parts.
func TestMultipart(t *testing.T) {
	t.Parallel()
	in := startIn(t, t.TempDir())
	c := in.s3Client(t)
	const partBytes = 5 << 20
	body := bytes.Repeat([]byte("winnow! "), 2<<20) // 16 MiB: four parts
	_, err := c.PutObject(t.Context(), in.S3.Bucket, "large", bytes.NewReader(body), int64(len(body)), minio.PutObjectOptions{PartSize: partBytes})
	if err != nil {
		t.Fatal(err)
	}
	opts := minio.GetObjectOptions{}
	const first, last = partBytes - 3, partBytes + 3 // across the first seam
	if err := opts.SetRange(first, last); err != nil {
		t.Fatal(err)
	}
	object, err := c.GetObject(t.Context(), in.S3.Bucket, "large", opts)
	if err != nil {
		t.Fatal(err)
	}
	defer object.Close()
	if got, err := io.ReadAll(object); err != nil || !bytes.Equal(got, body[first:last+1]) {
		t.Errorf("range %q, %v, want %q", got, err, body[first:last+1])
	}
	in.stop(t, syscall.SIGTERM)
}
