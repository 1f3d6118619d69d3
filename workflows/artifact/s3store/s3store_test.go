package s3store_test

import (
	"bytes"
	"errors"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/minio/minio-go/v7"

	"github.com/winnow-video/winnow/workflows/artifact"
	"github.com/winnow-video/winnow/workflows/artifact/s3store"
	"github.com/winnow-video/winnow/workflows/artifact/storetest"
	"github.com/winnow-video/winnow/workflows/stack/stacktest"
)

func TestMain(m *testing.M) { os.Exit(stacktest.Main(m)) }

func TestStore(t *testing.T) {
	t.Parallel()
	config := stacktest.Start(t).S3
	store := open(t, config)
	storetest.Run(t, func(t *testing.T) storetest.Subject {
		damage := func(t *testing.T, key artifact.Key, body []byte) { overwrite(t, config, key, body) }
		prefix := artifact.Key(strings.ReplaceAll(t.Name(), " ", "-") + "/")
		return storetest.Subject{Store: store, Prefix: prefix, Damage: damage}
	})
}

func TestForeignObjectStays(t *testing.T) {
	t.Parallel()
	config := stacktest.Start(t).S3
	client, err := config.Client()
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.PutObject(t.Context(), config.Bucket, "foreign", strings.NewReader("x"), 1, minio.PutObjectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	store := open(t, config)
	if _, err := store.Get(t.Context(), "foreign"); err == nil || errors.Is(err, artifact.ErrCorrupt) {
		t.Errorf("Get of an object without a digest: %v, want it refused but not as corrupt", err)
	}
	if _, err := store.Stat(t.Context(), "foreign"); err != nil {
		t.Errorf("the foreign object was touched: %v", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	good := stacktest.Start(t).S3
	for name, test := range map[string]struct {
		change func(*s3store.Config)
		want   string
	}{
		"no bucket":      {func(c *s3store.Config) { c.Bucket = "" }, "s3.bucket is missing"},
		"unknown bucket": {func(c *s3store.Config) { c.Bucket = "nobodys" }, `s3 bucket "nobodys" at ` + good.Endpoint + ": does not exist"},
		"wrong secret":   {func(c *s3store.Config) { c.SecretKey += "x" }, `s3 bucket "` + good.Bucket + `"`},
		"not an address": {func(c *s3store.Config) { c.Endpoint = "x/y" }, `s3.endpoint "x/y"`},
		"half a key":     {func(c *s3store.Config) { c.SecretKey = "" }, "s3.secret_key is missing"},
		"addressing":     {func(c *s3store.Config) { c.Addressing = "dns" }, `s3.addressing: "dns": want auto, path or virtual`},
		"TLS to nothing": {func(c *s3store.Config) { c.TLS.CA = "ca.pem" }, "s3.tls is set, but s3.endpoint is not https://"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := good
			test.change(&config)
			_, err := s3store.Open(t.Context(), config)
			if err == nil || !strings.Contains(err.Error(), test.want) || errors.Is(err, artifact.ErrUnavailable) {
				t.Errorf("Open: %v, want %q", err, test.want)
			}
		})
	}
}

func TestAway(t *testing.T) {
	t.Parallel()
	config := stacktest.Start(t).S3
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	config.Endpoint = listener.Addr().String()
	if err := listener.Close(); err != nil { // so that the port is nobody's
		t.Fatal(err)
	}
	if _, err := s3store.Open(t.Context(), config); !errors.Is(err, artifact.ErrUnavailable) {
		t.Errorf("Open: %v, want ErrUnavailable", err)
	}
}

func open(t *testing.T, config s3store.Config) *s3store.Store {
	t.Helper()
	store, err := s3store.Open(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// overwrite stores other bytes under the metadata the object has.
func overwrite(t *testing.T, config s3store.Config, key artifact.Key, body []byte) {
	t.Helper()
	client, err := config.Client()
	if err != nil {
		t.Fatal(err)
	}
	info, err := client.StatObject(t.Context(), config.Bucket, string(key), minio.StatObjectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	opts := minio.PutObjectOptions{UserMetadata: info.UserMetadata}
	if _, err := client.PutObject(t.Context(), config.Bucket, string(key), bytes.NewReader(body), int64(len(body)), opts); err != nil {
		t.Fatal(err)
	}
}
