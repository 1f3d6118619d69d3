package source_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/winnow-video/winnow/decode/client"
	"github.com/winnow-video/winnow/workers/source"
	"github.com/winnow-video/winnow/workflows/job"
	"github.com/winnow-video/winnow/workflows/stack/stacktest"
)

func TestMain(m *testing.M) { os.Exit(stacktest.Main(m)) }

const large = 1 << 30

func opener(t *testing.T) source.Opener {
	t.Helper()
	memo, err := source.OpenMemo(filepath.Join(t.TempDir(), "sources.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	return source.Opener{Local: memo, Scratch: t.TempDir()}
}

func write(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, o source.Opener, video string) source.Source {
	t.Helper()
	s, err := o.Open(t.Context(), video, large)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func readAt(t *testing.T, s source.Source, off, n int) string {
	t.Helper()
	p := make([]byte, n)
	if err := s.ReadRange(t.Context(), p, int64(off)); err != nil {
		t.Fatal(err)
	}
	return string(p)
}

func wantCode(t *testing.T, err error, want job.Code) {
	t.Helper()
	var f *job.Failure
	if !errors.As(err, &f) || f.Code != want || f.Stage != job.StageFetch {
		t.Errorf("error = %v, want %s", err, want)
	}
}

func TestFile(t *testing.T) {
	t.Parallel()
	o, path := opener(t), filepath.Join(t.TempDir(), "a.mp4")
	write(t, path, []byte("0123456789"))
	s := open(t, o, path)
	if s.Size() != 10 || readAt(t, s, 3, 4) != "3456" {
		t.Errorf("size %d, bytes 3..7 %q", s.Size(), readAt(t, s, 3, 4))
	}
	twin := filepath.Join(t.TempDir(), "b.mp4")
	write(t, twin, []byte("0123456789"))
	if open(t, o, twin).ID() != s.ID() {
		t.Error("the same content has two ids")
	}
}

func TestFileThatChanges(t *testing.T) {
	t.Parallel()
	o, path := opener(t), filepath.Join(t.TempDir(), "a.mp4")
	write(t, path, []byte("0123456789"))
	s := open(t, o, path)
	write(t, path, []byte("abcdefghij"))
	if err := os.Chtimes(path, time.Now(), time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	wantCode(t, s.ReadRange(t.Context(), make([]byte, 4), 0), job.InputChanged)
	local, ok := s.(client.Local)
	if !ok {
		t.Fatal("a local file is no client.Local")
	}
	wantCode(t, local.Unchanged(), job.InputChanged)
	if open(t, o, path).ID() == s.ID() {
		t.Error("another content has the same id")
	}
}

func TestMemoSurvivesAndIsBelieved(t *testing.T) {
	t.Parallel()
	memo, path := filepath.Join(t.TempDir(), "sources.jsonl"), filepath.Join(t.TempDir(), "a.mp4")
	write(t, path, []byte("0123456789"))
	first, err := source.OpenMemo(memo)
	if err != nil {
		t.Fatal(err)
	}
	id := open(t, source.Opener{Local: first}, path).ID()
	text, err := os.ReadFile(memo)
	if err != nil {
		t.Fatal(err)
	}
	digest := strings.TrimPrefix(id, "sha256-")
	other := strings.Repeat("ab", 32)
	write(t, memo, append([]byte("not JSON\n"), bytes.ReplaceAll(text, []byte(digest), []byte(other))...))
	second, err := source.OpenMemo(memo)
	if err != nil {
		t.Fatal(err)
	}
	if got := open(t, source.Opener{Local: second}, path).ID(); got != "sha256-"+other {
		t.Errorf("id = %s: the file was digested again", got)
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "empty.mp4"), nil)
	write(t, filepath.Join(dir, "large.mp4"), make([]byte, 100))
	o := opener(t)
	for _, tc := range []struct {
		video string
		want  job.Code
	}{
		{filepath.Join(dir, "none.mp4"), job.InputMissing},
		{filepath.Join(dir, "empty.mp4"), job.InputEmpty},
		{filepath.Join(dir, "large.mp4"), job.InputTooLarge},
		{dir, job.InputNotVideo},
		{"s3://bucket/key", job.ConfigInvalid},
		{"https://example.org/a.mp4", job.ConfigInvalid},
		{"relative.mp4", job.ConfigInvalid},
	} {
		_, err := o.Open(t.Context(), tc.video, 99)
		wantCode(t, err, tc.want)
	}
}

func TestLocalFilesRefused(t *testing.T) {
	t.Parallel()
	_, err := source.Opener{}.Open(t.Context(), "/etc/hostname", large)
	wantCode(t, err, job.ConfigInvalid)
}

func s3(t *testing.T) (*minio.Client, string) {
	t.Helper()
	services := stacktest.Start(t)
	client, err := services.S3.Client()
	if err != nil {
		t.Fatal(err)
	}
	return client, services.S3.Bucket
}

func put(t *testing.T, client *minio.Client, bucket, key, content string) {
	t.Helper()
	_, err := client.PutObject(t.Context(), bucket, key, strings.NewReader(content), int64(len(content)), minio.PutObjectOptions{})
	if err != nil {
		t.Fatal(err)
	}
}

func TestS3(t *testing.T) {
	t.Parallel()
	client, bucket := s3(t)
	put(t, client, bucket, "videos/a.mp4", "0123456789")
	o := source.Opener{S3: client}
	video := fmt.Sprintf("s3://%s/videos/a.mp4", bucket)
	s := open(t, o, video)
	if s.Size() != 10 || readAt(t, s, 3, 4) != "3456" {
		t.Errorf("size %d, bytes 3..7 %q", s.Size(), readAt(t, s, 3, 4))
	}
	if open(t, o, video).ID() != s.ID() {
		t.Error("the same object has two ids")
	}
	put(t, client, bucket, "videos/a.mp4", "abcdefghij")
	wantCode(t, s.ReadRange(t.Context(), make([]byte, 4), 0), job.InputChanged)
	if open(t, o, video).ID() == s.ID() {
		t.Error("another content has the same id")
	}
	_, err := o.Open(t.Context(), video+"x", large)
	wantCode(t, err, job.InputMissing)
}

// site serves content under an ETag, by range where it is strong.
func site(t *testing.T, etag, content string) (*httptest.Server, source.Opener) {
	t.Helper()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if etag == "" {
			fmt.Fprint(w, content)
			return
		}
		w.Header().Set("ETag", etag)
		http.ServeContent(w, r, "a.mp4", time.Time{}, strings.NewReader(content))
	}))
	t.Cleanup(server.Close)
	o := opener(t)
	o.HTTPS = server.Client()
	return server, o
}

func TestHTTPSByRange(t *testing.T) {
	t.Parallel()
	server, o := site(t, `"v1"`, "0123456789")
	s := open(t, o, server.URL+"/a.mp4?X-Amz-Signature=secret1&id=7")
	if s.Size() != 10 || readAt(t, s, 3, 4) != "3456" {
		t.Errorf("size %d, bytes 3..7 %q", s.Size(), readAt(t, s, 3, 4))
	}
	if open(t, o, server.URL+"/a.mp4?X-Amz-Signature=secret2&id=7").ID() != s.ID() {
		t.Error("another signature makes another id")
	}
	if open(t, o, server.URL+"/a.mp4?id=8").ID() == s.ID() {
		t.Error("another object has the same id")
	}
}

func TestHTTPSWithoutStrongETagIsSpooled(t *testing.T) {
	t.Parallel()
	for _, etag := range []string{"", `W/"v1"`} {
		server, o := site(t, etag, "0123456789")
		s := open(t, o, server.URL+"/a.mp4")
		if s.Size() != 10 || readAt(t, s, 3, 4) != "3456" || !strings.HasPrefix(s.ID(), "sha256-") {
			t.Errorf("ETag %q: id %s, size %d", etag, s.ID(), s.Size())
		}
		if _, err := o.Open(t.Context(), server.URL+"/a.mp4", 5); err == nil {
			t.Error("spooled past the limit")
		}
		if left, err := os.ReadDir(o.Scratch); err != nil || len(left) != 0 {
			t.Errorf("left in scratch: %v, %v", left, err)
		}
	}
}

func TestHTTPSThatChanges(t *testing.T) {
	t.Parallel()
	etag := make(chan string, 2)
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", <-etag)
		http.ServeContent(w, r, "a.mp4", time.Time{}, strings.NewReader("0123456789"))
	}))
	defer server.Close()
	o := source.Opener{HTTPS: server.Client()}
	etag <- `"v1"`
	s := open(t, o, server.URL)
	etag <- `"v2"`
	wantCode(t, s.ReadRange(t.Context(), make([]byte, 4), 0), job.InputChanged)
}

func TestHTTPSFailuresHideTheQuery(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "no", map[string]int{"/gone": 404, "/closed": 403, "/broken": 500}[r.URL.Path])
	}))
	defer server.Close()
	o := source.Opener{HTTPS: server.Client()}
	for path, want := range map[string]job.Code{"/gone": job.InputMissing, "/closed": job.InputForbidden, "/broken": job.InputUnreachable} {
		_, err := o.Open(t.Context(), server.URL+path+"?sig=secret", large)
		wantCode(t, err, want)
		if strings.Contains(err.Error(), "secret") {
			t.Errorf("the error shows the query: %v", err)
		}
	}
	server.Close()
	_, err := o.Open(t.Context(), server.URL+"/gone?sig=secret", large)
	wantCode(t, err, job.InputUnreachable)
	if strings.Contains(err.Error(), "secret") {
		t.Errorf("the error shows the query: %v", err)
	}
}

func TestPublicClientStaysOutside(t *testing.T) {
	t.Parallel()
	server, _ := site(t, "", "secret")
	o := source.Opener{HTTPS: source.PublicClient()}
	_, err := o.Open(context.Background(), server.URL, large)
	wantCode(t, err, job.InputForbidden)
}

func TestRedacted(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"https://user:pw@example.org/a.mp4?sig=x#t=3": "https://example.org/a.mp4",
		"s3://b/k?versionId=1":                        "s3://b/k?versionId=1",
		"/videos/a?.mp4":                              "/videos/a?.mp4",
	} {
		if got := source.Redacted(in); got != want {
			t.Errorf("Redacted(%q) = %q, want %q", in, got, want)
		}
	}
}
