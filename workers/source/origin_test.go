package source_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/winnow-video/winnow/workers/source"
	"github.com/winnow-video/winnow/workflows/artifact/s3store"
	"github.com/winnow-video/winnow/workflows/job"
	"github.com/winnow-video/winnow/workflows/stack/stacktest"
)

const digits = "0123456789"

// reply answers one request.
type reply = func(w http.ResponseWriter, r *http.Request)

// script answers requests in turn, then serves them.
type script struct {
	mu    sync.Mutex
	left  []reply
	serve http.Handler
	asked []time.Time
}

func (s *script) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	next := s.serve.ServeHTTP
	if s.asked = append(s.asked, time.Now()); len(s.left) > 0 {
		next, s.left = s.left[0], s.left[1:]
	}
	s.mu.Unlock()
	next(w, r)
}

// then adds replies to come.
func (s *script) then(replies ...reply) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.left, s.asked = replies, nil
}

func (s *script) requests() []time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}

func film() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"v1"`)
		http.ServeContent(w, r, "a.mp4", time.Time{}, strings.NewReader(digits))
	})
}

// web is a web host that answers by script, and an Opener that holds it to limits.
func web(t *testing.T, limits source.OriginLimits) (*script, *httptest.Server, source.Opener) {
	t.Helper()
	s := &script{serve: film()}
	server := httptest.NewTLSServer(s)
	t.Cleanup(server.Close)
	return s, server, source.Opener{HTTPS: server.Client(), Origins: source.NewOrigins(limits), Scratch: t.TempDir()}
}

func status(code int, retryAfter string) reply {
	return func(w http.ResponseWriter, _ *http.Request) {
		if retryAfter != "" {
			w.Header().Set("Retry-After", retryAfter)
		}
		w.WriteHeader(code)
	}
}

// inASecond asks for a second by date, by a clock that is an hour behind.
func inASecond(w http.ResponseWriter, _ *http.Request) {
	now := time.Now().Add(-time.Hour).UTC()
	w.Header().Set("Date", now.Format(http.TimeFormat))
	w.Header().Set("Retry-After", now.Add(time.Second).Format(http.TimeFormat))
	w.WriteHeader(http.StatusTooManyRequests)
}

// cut breaks off in the middle of the body.
func cut(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("ETag", `"v1"`)
	w.Header().Set("Content-Length", "4")
	w.Header().Set("Content-Range", "bytes 3-6/10")
	w.WriteHeader(http.StatusPartialContent)
	io.WriteString(w, "34")
}

func hangUp(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

func TestOriginThatAsksToWait(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		replies  []reply
		min, max time.Duration // from the first request to the last
	}{
		"seconds, twice":    {[]reply{status(503, "1"), status(503, "1")}, 2 * time.Second, 6 * time.Second},
		"a date":            {[]reply{inASecond}, time.Second, 5 * time.Second},
		"not for how long":  {[]reply{status(503, "")}, 250 * time.Millisecond, 4 * time.Second},
		"nonsense":          {[]reply{status(429, "soon")}, 250 * time.Millisecond, 4 * time.Second},
		"no time at all":    {[]reply{status(429, "0")}, 250 * time.Millisecond, 4 * time.Second},
		"a cut, then later": {[]reply{cut, status(503, "")}, 250 * time.Millisecond, 5 * time.Second},
		"more than breaks":  {[]reply{status(503, ""), hangUp, hangUp, cut}, 250 * time.Millisecond, 10 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			origin, server, o := web(t, source.OriginLimits{})
			s := open(t, o, server.URL)
			origin.then(c.replies...)
			if got := readAt(t, s, 3, 4); got != "3456" {
				t.Errorf("read %q", got)
			}
			asked := origin.requests()
			if len(asked) != len(c.replies)+1 {
				t.Fatalf("%d requests, want %d", len(asked), len(c.replies)+1)
			}
			if took := asked[len(asked)-1].Sub(asked[0]); took < c.min || took > c.max {
				t.Errorf("served after %v, want %v to %v", took, c.min, c.max)
			}
		})
	}
}

func TestOpeningWaitsToo(t *testing.T) {
	t.Parallel()
	origin, server, o := web(t, source.OriginLimits{})
	origin.then(status(503, ""), hangUp)
	if s := open(t, o, server.URL); s.Size() != 10 {
		t.Errorf("size %d", s.Size())
	}
}

func TestOriginThatKeepsBreaking(t *testing.T) {
	t.Parallel()
	for name, r := range map[string]reply{"cut": cut, "hang up": hangUp, "server error": status(500, "")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			origin, server, o := web(t, source.OriginLimits{})
			s := open(t, o, server.URL)
			origin.then(r, r, r, r)
			wantCode(t, s.ReadRange(t.Context(), make([]byte, 4), 3), job.InputUnreachable)
			if n := len(origin.requests()); n != 4 {
				t.Errorf("%d requests, want 4", n)
			}
		})
	}
}

func TestAnswersThatAreNotTriedAgain(t *testing.T) {
	t.Parallel()
	another := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("ETag", `"v1"`)
		w.Header().Set("Content-Range", "bytes 0-3/10")
		w.WriteHeader(http.StatusPartialContent)
		io.WriteString(w, "0123")
	}
	for name, c := range map[string]struct {
		reply reply
		want  job.Code
	}{
		"416":           {status(416, ""), job.InputUnreachable},
		"200":           {status(200, ""), job.InputChanged},
		"412":           {status(412, ""), job.InputChanged},
		"404":           {status(404, ""), job.InputMissing},
		"another range": {another, job.InputUnreachable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			origin, server, o := web(t, source.OriginLimits{})
			s := open(t, o, server.URL)
			origin.then(c.reply)
			wantCode(t, s.ReadRange(t.Context(), make([]byte, 4), 3), c.want)
			if n := len(origin.requests()); n != 1 {
				t.Errorf("%d requests, want 1", n)
			}
		})
	}
}

func TestPatienceEnds(t *testing.T) {
	t.Parallel()
	for name, retryAfter := range map[string]string{"told for how long": "3600", "not told": ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			origin, server, o := web(t, source.OriginLimits{Patience: 300 * time.Millisecond})
			s := open(t, o, server.URL)
			busy := status(503, retryAfter)
			origin.then(busy, busy, busy, busy, busy, busy)
			err := s.ReadRange(t.Context(), make([]byte, 4), 3)
			wantCode(t, err, job.CapacityUnavailable)
			var f *job.Failure
			if !errors.As(err, &f) || !f.Retryable || !strings.Contains(f.Detail, "503") {
				t.Errorf("failure %+v", f)
			}
		})
	}
}

func TestSilentBodyIsTriedAgain(t *testing.T) {
	t.Parallel()
	origin, server, o := web(t, source.OriginLimits{Silence: 50 * time.Millisecond})
	s := open(t, o, server.URL)
	origin.then(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"v1"`)
		w.Header().Set("Content-Range", "bytes 3-6/10")
		w.WriteHeader(http.StatusPartialContent)
		io.WriteString(w, "34")
		http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	if got := readAt(t, s, 3, 4); got != "3456" {
		t.Errorf("read %q", got)
	}
	if n := len(origin.requests()); n != 2 {
		t.Errorf("%d requests, want 2", n)
	}
}

// paused is a source whose origin has just asked one reader to wait for long.
func paused(t *testing.T, after string) (source.Source, *script, source.Opener) {
	t.Helper()
	origin, server, o := web(t, source.OriginLimits{})
	s := open(t, o, server.URL)
	told := make(chan struct{})
	origin.then(func(w http.ResponseWriter, r *http.Request) {
		status(503, after)(w, r)
		close(told)
	})
	ctx, end := context.WithCancel(t.Context())
	first := make(chan error)
	go func() { first <- s.ReadRange(ctx, make([]byte, 4), 3) }()
	<-told
	t.Cleanup(func() {
		end()
		<-first
	})
	source.WaitPaused(t.Context(), o.Origins, server.URL)
	return s, origin, o
}

func TestPauseHoldsOthersOfItsOriginOnly(t *testing.T) {
	t.Parallel()
	s, origin, o := paused(t, "2")
	_, elsewhere, other := web(t, source.OriginLimits{})
	other.Origins = o.Origins
	began := time.Now()
	open(t, other, elsewhere.URL)
	if took := time.Since(began); took > time.Second {
		t.Errorf("another origin was held for %v", took)
	}
	if n := len(origin.requests()); n != 1 {
		t.Fatalf("%d requests in a pause, want 1", n)
	}
	readAt(t, s, 0, 4)
	asked := origin.requests()
	if held := asked[1].Sub(asked[0]); held < 2*time.Second {
		t.Errorf("the origin was asked again after %v, it had said 2 s", held)
	}
}

func TestPauseEndsWithContext(t *testing.T) {
	t.Parallel()
	s, _, _ := paused(t, "600")
	ctx, end := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer end()
	began := time.Now()
	if err := s.ReadRange(ctx, make([]byte, 4), 3); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error = %v", err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestConcurrencyIsBoundedByOrigin(t *testing.T) {
	t.Parallel()
	const bound, readers = 3, 12
	origin, server, o := web(t, source.OriginLimits{Concurrency: bound})
	s := open(t, o, server.URL)
	var inside, most atomic.Int64
	var once sync.Once
	full := make(chan struct{}) // closed when as many are inside as may be
	hold := func(w http.ResponseWriter, r *http.Request) {
		n := inside.Add(1)
		defer inside.Add(-1)
		for seen := most.Load(); n > seen && !most.CompareAndSwap(seen, n); seen = most.Load() {
		}
		if n >= bound {
			once.Do(func() { close(full) })
		}
		<-full
		film().ServeHTTP(w, r)
	}
	origin.then(slices.Repeat([]reply{hold}, readers)...)
	var reading sync.WaitGroup
	for range readers {
		reading.Go(func() {
			if err := s.ReadRange(t.Context(), make([]byte, 4), 3); err != nil {
				t.Error(err)
			}
		})
	}
	reading.Wait()
	if most.Load() != bound {
		t.Errorf("%d requests at once, want %d", most.Load(), bound)
	}
}

func TestRateIsBoundedByOrigin(t *testing.T) {
	t.Parallel()
	origin, server, o := web(t, source.OriginLimits{PerSecond: 20})
	s := open(t, o, server.URL)
	origin.then()
	for range 5 {
		readAt(t, s, 0, 4)
	}
	asked := origin.requests()
	if took := asked[4].Sub(asked[0]); took < 180*time.Millisecond {
		t.Errorf("5 requests within %v at 20 a second", took)
	}
}

func slowDown(w http.ResponseWriter, code int, name string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(code)
	fmt.Fprintf(w, `<?xml version="1.0"?><Error><Code>%s</Code><Message>Please reduce your request rate.</Message></Error>`, name)
}

// Every case is one read through minio's client: it must not try anything by itself.
func TestS3ThatAsksToWait(t *testing.T) {
	t.Parallel()
	slow := func(w http.ResponseWriter, _ *http.Request) { slowDown(w, 503, "SlowDown") }
	told := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "1")
		slowDown(w, 503, "SlowDown")
	}
	limit := func(w http.ResponseWriter, _ *http.Request) { slowDown(w, 400, "RequestLimitExceeded") }
	for name, c := range map[string]struct {
		replies []reply
		min     time.Duration
	}{
		"SlowDown":             {[]reply{slow}, 250 * time.Millisecond},
		"with Retry-After":     {[]reply{told}, time.Second},
		"RequestLimitExceeded": {[]reply{limit}, 250 * time.Millisecond},
		"hanging up":           {[]reply{hangUp}, 0},
		"500":                  {[]reply{func(w http.ResponseWriter, _ *http.Request) { slowDown(w, 500, "InternalError") }}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			origin, s := bucket(t)
			origin.then(c.replies...)
			if got := readAt(t, s, 3, 4); got != "3456" {
				t.Errorf("read %q", got)
			}
			asked := origin.requests()
			if len(asked) != len(c.replies)+1 {
				t.Fatalf("%d requests, want %d", len(asked), len(c.replies)+1)
			}
			if took := asked[len(asked)-1].Sub(asked[0]); took < c.min {
				t.Errorf("asked again after %v, want at least %v", took, c.min)
			}
		})
	}
}

// bucket is an object on a real S3 server, behind a proxy that answers by script.
func bucket(t *testing.T) (*script, source.Source) {
	t.Helper()
	origin, config, o := s3Proxy(t)
	key := strings.ReplaceAll(t.Name(), "/", "-")
	client, err := config.Client()
	if err != nil {
		t.Fatal(err)
	}
	put(t, client, config.Bucket, key, digits)
	return origin, open(t, o, fmt.Sprintf("s3://%s/%s", config.Bucket, key))
}

func s3Proxy(t *testing.T) (*script, s3store.Config, source.Opener) {
	t.Helper()
	config := stacktest.Start(t).S3
	to := &url.URL{Scheme: "http", Host: config.Endpoint}
	// The requests are signed for the proxy's host, which Rewrite keeps.
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(to)
		r.Out.Host = r.In.Host
	}}
	origin := &script{serve: proxy}
	server := httptest.NewServer(origin)
	t.Cleanup(server.Close)
	config.Endpoint = strings.TrimPrefix(server.URL, "http://")
	client, err := source.S3Client(config)
	if err != nil {
		t.Fatal(err)
	}
	return origin, config, source.Opener{S3: client, Origins: source.NewOrigins(source.OriginLimits{})}
}

func TestS3StatWaitsToo(t *testing.T) {
	t.Parallel()
	origin, config, o := s3Proxy(t)
	origin.then(status(503, ""))
	_, err := o.Open(t.Context(), fmt.Sprintf("s3://%s/no-such-key", config.Bucket), large)
	wantCode(t, err, job.InputMissing)
	if n := len(origin.requests()); n != 2 {
		t.Errorf("%d requests, want 2", n)
	}
}

// away is an Opener of an S3 server at which nobody listens, and what brings the server back.
func away(t *testing.T, limits source.OriginLimits) (o source.Opener, bucket string, back func()) {
	t.Helper()
	config := stacktest.Start(t).S3
	address, server := stacktest.ClosedPort(t), config.Endpoint
	config.Endpoint = address
	client, err := source.S3Client(config)
	if err != nil {
		t.Fatal(err)
	}
	o = source.Opener{S3: client, Origins: source.NewOrigins(limits)}
	return o, config.Bucket, func() { stacktest.FrontAt(t, address, server) }
}

// No try that a broken connection is worth is spent on a server that is not
// there: whoever reads from it waits until it is back.
func TestS3ThatIsAway(t *testing.T) {
	t.Parallel()
	o, bucket, back := away(t, source.OriginLimits{})
	opened := make(chan error, 1)
	go func() {
		_, err := o.Open(t.Context(), fmt.Sprintf("s3://%s/no-such-key", bucket), large)
		opened <- err
	}()
	select {
	case err := <-opened:
		t.Fatalf("given up while the server was away: %v", err)
	case <-time.After(3 * time.Second):
	}
	back()
	wantCode(t, <-opened, job.InputMissing)
}

func TestS3ThatStaysAway(t *testing.T) {
	t.Parallel()
	o, bucket, _ := away(t, source.OriginLimits{Patience: 300 * time.Millisecond})
	_, err := o.Open(t.Context(), fmt.Sprintf("s3://%s/key", bucket), large)
	wantCode(t, err, job.CapacityUnavailable)
	if !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("%v: want it to say what is wrong", err)
	}
}
