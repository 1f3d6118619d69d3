package s3store_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/winnow-video/winnow/workflows/artifact"
	"github.com/winnow-video/winnow/workflows/artifact/s3store"
	"github.com/winnow-video/winnow/workflows/stack/stacktest"
)

// TestOutsideRefuses wants one line with the reason and what to do, and no key in it.
func TestOutsideRefuses(t *testing.T) {
	t.Parallel()
	good := stacktest.Start(t).S3
	certificate := stacktest.NewCertificate(t)
	https := stacktest.FrontS3(t, good.Endpoint, &certificate, nil, nil)
	skewed := func(w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(http.StatusForbidden)
		_, _ = w.Write([]byte("<Error><Code>RequestTimeTooSkewed</Code><Message>The difference is too large.</Message></Error>"))
		return true
	}
	for name, test := range map[string]struct {
		change func(*s3store.Config)
		want   string
	}{
		"wrong secret":   {func(c *s3store.Config) { c.SecretKey = "hidden" }, "check s3.access_key and s3.secret_key"},
		"unknown key":    {func(c *s3store.Config) { c.AccessKey = "hidden" }, "check s3.access_key and s3.secret_key"},
		"key in the URL": {func(c *s3store.Config) { c.Endpoint = "u:hidden@host" }, `s3.endpoint "host"`},
		"silence":        {func(c *s3store.Config) { c.Endpoint = stacktest.FrontSilent(t) }, "look whether the server runs"},
		"listing forbidden": {func(c *s3store.Config) {
			c.Endpoint = stacktest.FrontS3(t, good.Endpoint, nil, stacktest.Forbid("GET"), nil)
		}, "Access Denied: let these credentials list"},
		"clock":      {func(c *s3store.Config) { c.Endpoint = stacktest.FrontS3(t, good.Endpoint, nil, skewed, nil) }, "set this machine's clock"},
		"unknown CA": {func(c *s3store.Config) { c.Endpoint, c.Secure = https, true }, "check s3.tls.ca_file"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := good
			test.change(&c)
			_, err := s3store.Open(t.Context(), c)
			if err == nil {
				t.Fatal("Open opens")
			}
			if text := err.Error(); !strings.Contains(text, test.want) || strings.Contains(text, "\n") || strings.Contains(text, "hidden") {
				t.Errorf("Open: %q, want one line with %q", text, test.want)
			}
		})
	}
}

func TestHTTPS(t *testing.T) {
	t.Parallel()
	c, certificate := stacktest.Start(t).S3, stacktest.NewCertificate(t)
	c.Endpoint, c.Secure, c.TLS.CA = stacktest.FrontS3(t, c.Endpoint, &certificate, nil, nil), true, certificate.File
	if err := open(t, c).CheckWrites(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestWritesForbidden(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"PUT", "DELETE"} {
		c := stacktest.Start(t).S3
		c.Endpoint = stacktest.FrontS3(t, c.Endpoint, nil, stacktest.Forbid(method), nil)
		err := open(t, c).CheckWrites(t.Context())
		if err == nil || !strings.Contains(err.Error(), "let these credentials put and delete objects") {
			t.Errorf("%s forbidden: %v", method, err)
		}
	}
}

func TestWritesUnanswered(t *testing.T) {
	t.Parallel()
	c := stacktest.Start(t).S3
	hang := func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == "PUT" {
			<-r.Context().Done()
		}
		return r.Method == "PUT"
	}
	c.Endpoint = stacktest.FrontS3(t, c.Endpoint, nil, hang, nil)
	if err := open(t, c).CheckWrites(t.Context()); !errors.Is(err, artifact.ErrUnavailable) {
		t.Errorf("CheckWrites: %v, want ErrUnavailable", err)
	}
}

// TestCredentials takes keys from where AWS's programs look, in their order,
// and never asks without.
func TestCredentials(t *testing.T) {
	c := stacktest.Start(t).S3
	access, secret := c.AccessKey, c.SecretKey
	c.AccessKey, c.SecretKey = "", ""
	dir := t.TempDir()
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_ACCESS_KEY": "", "AWS_SECRET_KEY": "", "AWS_SESSION_TOKEN": "", "AWS_PROFILE": "",
		"AWS_SHARED_CREDENTIALS_FILE": filepath.Join(dir, "credentials"), "AWS_CONFIG_FILE": filepath.Join(dir, "config"),
		"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:1/", // a role's service that does not answer
	} {
		t.Setenv(name, value)
	}
	if _, err := s3store.Open(t.Context(), c); !errors.Is(err, s3store.ErrNoCredentials) {
		t.Errorf("without any: %v, want ErrNoCredentials", err)
	}
	profile := "[winnow]\naws_access_key_id = " + access + "\naws_secret_access_key = " + secret + "\n"
	if err := os.WriteFile(filepath.Join(dir, "credentials"), []byte(profile), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AWS_PROFILE", "winnow")
	open(t, c)
	t.Setenv("AWS_ACCESS_KEY_ID", access)
	t.Setenv("AWS_SECRET_ACCESS_KEY", "wrong")
	if _, err := s3store.Open(t.Context(), c); err == nil {
		t.Error("the variables do not win over the profile")
	}
	t.Setenv("AWS_SECRET_ACCESS_KEY", secret)
	open(t, c)
}

// TestUpload sends a file of more than one part once, and again where what lies
// there is something else.
func TestUpload(t *testing.T) {
	t.Parallel()
	config := stacktest.Start(t).S3
	store := open(t, config)
	content := bytes.Repeat([]byte("winnow "), 10<<20) // 70 MiB
	sum := sha256.Sum256(content)
	ref := artifact.Ref{SHA256: hex.EncodeToString(sum[:]), Size: int64(len(content))}
	ref.Key = artifact.Video(ref.SHA256, ".bin")
	for round, wantSent := range []bool{true, false} {
		var told counter
		sent, err := store.Upload(t.Context(), ref, bytes.NewReader(content), &told)
		if err != nil || sent != wantSent || (int64(told) == ref.Size) != wantSent {
			t.Errorf("round %d: sent %v, %d of %d bytes told, %v", round, sent, told, ref.Size, err)
		}
	}
	got, err := store.Get(t.Context(), ref.Key)
	if err != nil || !bytes.Equal(got, content) {
		t.Errorf("read back: %d bytes, %v", len(got), err)
	}
	overwrite(t, config, ref.Key, []byte("short"))
	if sent, err := store.Upload(t.Context(), ref, bytes.NewReader(content), nil); err != nil || !sent {
		t.Errorf("over an object of another size: sent %v, %v", sent, err)
	}
}

type counter int64

func (c *counter) Read(p []byte) (int, error) { *c += counter(len(p)); return len(p), nil }
