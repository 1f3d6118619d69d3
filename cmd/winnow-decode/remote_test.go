package main_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/winnow-video/winnow/workers/source"
)

// busyOrigin serves a file by range; every third request it asks to come again.
type busyOrigin struct {
	path     string
	requests atomic.Int64
}

func (o *busyOrigin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if o.requests.Add(1)%3 == 2 {
		w.Header().Set("Retry-After", "1")
		http.Error(w, "slow down", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("ETag", `"v1"`)
	http.ServeFile(w, r, o.path)
}

// A few frames of a long film come over HTTPS from an origin that is often busy: they are
// the same as of a local file, and little of the film is fetched, wherever its index is.
func TestFewFramesFromABusyOrigin(t *testing.T) {
	t.Parallel()
	noise := strings.Fields("-f lavfi -i nullsrc=s=320x240:r=30:d=20,geq=random(1)*255:128:128 -c:v libx264 -preset ultrafast -g 30 -qp 18 -pix_fmt yuv420p")
	for _, c := range []struct{ name, args string }{{"last.mp4", ""}, {"first.mp4", "-movflags +faststart"}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), c.name)
			ffmpeg(t, nil, slices.Concat(noise, strings.Fields(c.args), []string{path})...)
			origin := &busyOrigin{path: path}
			server := httptest.NewTLSServer(origin)
			defer server.Close()
			src, err := source.Opener{HTTPS: server.Client(), Scratch: t.TempDir()}.Open(t.Context(), server.URL+"/"+c.name, 1<<30)
			if err != nil {
				t.Fatal(err)
			}
			defer src.Close()
			req := frames(2)
			got, err := decoder(t).Run(t.Context(), req, src)
			if err != nil {
				t.Fatal(err)
			}
			want := mustDecode(t, path, req)
			if diff := cmp.Diff(want.Index, got.Index); diff != "" || !bytes.Equal(want.Frames.Data, got.Frames.Data) {
				t.Errorf("other frames than of the file: %s", diff)
			}
			if got.Fetched > src.Size()/3 {
				t.Errorf("%d bytes were fetched of %d", got.Fetched, src.Size())
			}
			t.Logf("%d of %d bytes in %d requests", got.Fetched, src.Size(), origin.requests.Load())
		})
	}
}
