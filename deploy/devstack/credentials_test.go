package main

import (
	"bytes"
	"errors"
	"syscall"
	"testing"

	"github.com/minio/minio-go/v7"
	"github.com/nats-io/nats.go"
)

func TestCredentialsAreMadeOncePerFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := startIn(t, dir)
	other := startIn(t, t.TempDir())
	if a, b := first.secrets(), other.secrets(); a.NATS.Password == b.NATS.Password || a.S3.Access == b.S3.Access || a.S3.Secret == b.S3.Secret {
		t.Errorf("two folders share a credential")
	}
	first.stop(t, syscall.SIGTERM)
	again := startIn(t, dir)
	if first.secrets() != again.secrets() {
		t.Errorf("the credentials of a folder changed at its second start")
	}
	other.stop(t, syscall.SIGTERM)
	again.stop(t, syscall.SIGTERM)
}

func TestDamagedCredentialsAreNamed(t *testing.T) {
	t.Parallel()
	for name, content := range map[string]string{"cut short": `{"v":1,"nats":`, "incomplete": `{"v":1}`, "unknown version": `{"v":2}`} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			writeFile(t, dir, credentialsFile, content)
			refused(t, []string{"--state", dir}, credentialsFile, "remove it")
		})
	}
}

func TestWrongCredentialsAreRefused(t *testing.T) {
	t.Parallel()
	in := startIn(t, t.TempDir())
	good := in.S3.s3Key
	for name, test := range map[string]struct {
		key  s3Key
		want string
	}{
		"wrong secret": {s3Key{good.Access, "wrong"}, "SignatureDoesNotMatch"},
		"unknown key":  {s3Key{"WINNOW", good.Secret}, "InvalidAccessKeyId"},
		"no key":       {s3Key{}, "AccessDenied"},
	} {
		_, err := s3ClientWith(t, in.S3.Endpoint, test.key).PutObject(t.Context(), in.S3.Bucket, "k", bytes.NewReader([]byte("x")), 1, minio.PutObjectOptions{})
		if got := minio.ToErrorResponse(err).Code; got != test.want {
			t.Errorf("S3, %s: %v (code %q), want %q", name, err, got, test.want)
		}
	}
	for name, option := range map[string]nats.Option{
		"wrong password": nats.UserInfo(in.NATS.User, "wrong"),
		"no password":    nats.Name("nobody"),
	} {
		if conn, err := nats.Connect(in.NATS.URL, option); !errors.Is(err, nats.ErrAuthorization) {
			t.Errorf("NATS, %s: %v, %v, want %v", name, conn, err, nats.ErrAuthorization)
		}
	}
	in.stop(t, syscall.SIGTERM)
}
