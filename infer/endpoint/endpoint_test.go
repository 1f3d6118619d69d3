package endpoint

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/winnow-video/winnow/workflows/job"
)

const secret = "sk-very-secret"

// open serves handler and opens it with little patience.
func open(t *testing.T, handler http.HandlerFunc, change func(*Config)) *Endpoint {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	cfg := Config{URL: server.URL, Key: secret, Timeout: 5 * time.Second, Patience: 20 * time.Second, MaxReply: 1 << 10}
	if change != nil {
		change(&cfg)
	}
	e, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}

type reply struct{ N int }

func ask(t *testing.T, e *Endpoint) (reply, error) {
	t.Helper()
	var r reply
	text := `{"question":1}`
	err := e.Ask(t.Context(), Request{Path: "/v1/x", Size: int64(len(text)), Body: func() io.ReadCloser {
		return io.NopCloser(strings.NewReader(text))
	}}, &r)
	return r, err
}

func answer(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	fmt.Fprint(w, text)
}

// Whatever a server answers is the request's typed end.
func TestAnswers(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		status int
		text   string
		want   job.Code
		says   string
	}{
		"an answer":              {200, `{"N":3}`, "", ""},
		"garbage":                {200, "\x00\x01<html>", job.ModelContract, "cannot be read"},
		"half of an object":      {200, `{"N":3`, job.ModelContract, "cannot be read"},
		"nothing":                {200, "", job.ModelContract, "cannot be read"},
		"another type":           {200, `{"N":"three"}`, job.ModelContract, "cannot be read"},
		"NaN":                    {200, `{"N":NaN}`, job.ModelNotFinite, "NaN"},
		"minus infinity":         {200, `{"N":-Infinity}`, job.ModelNotFinite, "NaN or infinity"},
		"a huge answer":          {200, `{"x":"` + strings.Repeat("y", 2000) + `"}`, job.ModelContract, "longer than 1024 bytes"},
		"context, as OpenAI":     {400, `{"error":{"message":"too long","code":"context_length_exceeded"}}`, job.ConfigContext, "too long"},
		"context, as vLLM":       {400, `{"error":{"message":"This model's maximum context length is 8 tokens.","code":400}}`, job.ConfigContext, "is 8 tokens"},
		"context, as vLLM did":   {400, `{"object":"error","message":"longer than the maximum model length of 8"}`, job.ConfigContext, "length of 8"},
		"a bad request":          {400, `{"error":{"message":"no such\n  parameter"}}`, job.ModelError, "400: no such parameter"},
		"a bad request in text":  {422, "what?", job.ModelError, "422: what?"},
		"a very long complaint":  {400, strings.Repeat("ä", 60_000), job.ModelError, "ää…"},
		"a key is refused":       {401, `{"error":{"message":"bad key ` + secret + `"}}`, job.CapacityUnavailable, "bad key [key]"},
		"no such model":          {404, `{"error":{"message":"no m"}}`, job.CapacityUnavailable, "no m"},
		"a large prompt":         {413, "large", job.ModelError, "raise its limit"},
		"no token is left":       {400, `{"error":{"message":"max_tokens must be at least 1, got 0. (parameter=max_tokens, value=0)"}}`, job.ConfigContext, "got 0"},
		"NaN, as vLLM says it":   {400, `{"error":{"message":"Out of range float values are not JSON compliant","code":400}}`, job.ModelNotFinite, "NaN or infinity"},
		"a redirect is no way":   {307, "elsewhere", job.CapacityUnavailable, "307"},
		"no content is no reply": {204, "", job.CapacityUnavailable, "204"},
		"credit is spent":        {402, `{"error":{"message":"pay"}}`, job.CapacityUnavailable, "pay"},
		"no such method":         {405, "", job.CapacityUnavailable, "405"},
		"a proxy wants a name":   {407, "", job.CapacityUnavailable, "407"},
		"not in this form":       {415, "", job.CapacityUnavailable, "415"},
		"no longer":              {410, "", job.CapacityUnavailable, "410"},
		"another protocol":       {426, "", job.CapacityUnavailable, "426"},
		"not that server":        {501, "", job.CapacityUnavailable, "this way: it answers 501"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := open(t, func(w http.ResponseWriter, r *http.Request) {
				if got := r.Header.Get("Authorization"); got != "Bearer "+secret {
					t.Errorf("Authorization %q", got)
				}
				if body, _ := io.ReadAll(r.Body); string(body) != `{"question":1}` || r.ContentLength != int64(len(body)) {
					t.Errorf("body %q of %d bytes", body, r.ContentLength)
				}
				w.Header().Set("Location", "http://127.0.0.1:1/")
				answer(w, test.status, test.text)
			}, nil)
			got, err := ask(t, e)
			if test.want == "" {
				if err != nil || got.N != 3 {
					t.Errorf("%+v, %v", got, err)
				}
				return
			}
			wantFailure(t, err, test.want, test.says)
		})
	}
}

func wantFailure(t *testing.T, err error, code job.Code, says string) {
	t.Helper()
	var f *job.Failure
	if !errors.As(err, &f) || f.Code != code || !strings.Contains(f.Detail, says) {
		t.Fatalf("%v, want %s with %q", err, code, says)
	}
	if strings.Contains(f.Detail, secret) || len(f.Detail) > 1000 {
		t.Errorf("it tells the key, or too much: %s", f.Detail)
	}
}

func TestContentType(t *testing.T) {
	t.Parallel()
	e := open(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, `{"N":3}`)
	}, nil)
	_, err := ask(t, e)
	wantFailure(t, err, job.ModelContract, "text/html")
}

// What passes is tried again, and the body is sent anew.
func TestTriesAgain(t *testing.T) {
	t.Parallel()
	cut := func(w http.ResponseWriter) { // half a body
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", "100")
		fmt.Fprint(w, `{"N":`)
	}
	hangUp := func(w http.ResponseWriter) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			conn.Close()
		}
	}
	for name, fault := range map[string]func(http.ResponseWriter){
		"429": func(w http.ResponseWriter) { answer(w, 429, "busy") },
		"500": func(w http.ResponseWriter) { answer(w, 500, "oh") },
		"503": func(w http.ResponseWriter) { answer(w, 503, "loading") },
		"cut": cut, "hang up": hangUp,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var tries atomic.Int32
			e := open(t, func(w http.ResponseWriter, r *http.Request) {
				if body, _ := io.ReadAll(r.Body); string(body) != `{"question":1}` {
					t.Errorf("body %q", body)
				}
				if tries.Add(1) < 3 {
					fault(w)
					return
				}
				answer(w, 200, `{"N":3}`)
			}, nil)
			if got, err := ask(t, e); err != nil || got.N != 3 || tries.Load() != 3 {
				t.Errorf("%+v, %v after %d tries, want an answer to the third", got, err, tries.Load())
			}
		})
	}
}

// A server that fails on one request alone is told from one that fails on all,
// whoever else asks it.
func TestFailsOnOneRequest(t *testing.T) {
	t.Parallel()
	const alone, all = "failed on this request 4 times: it answers 500: oh", "did not answer in 4s: it answers 500: oh"
	for name, test := range map[string]struct {
		fails  string // the paths that it fails on
		asks   string // which others ask all the time; "": nobody
		probe  string
		status int
		want   job.Code
		says   string
	}{
		"it answers others":           {"/v1/x", "/other", "", 500, job.ModelError, alone},
		"it answers nobody":           {"/v1/x /other", "/other", "", 500, job.CapacityUnavailable, all},
		"it would answer others":      {"/v1/x", "", "/probe", 500, job.ModelError, alone},
		"it would answer nobody":      {"/v1/x /probe", "", "/probe", 500, job.CapacityUnavailable, all},
		"nobody can tell":             {"/v1/x", "", "", 500, job.CapacityUnavailable, all},
		"it has no room, but for one": {"/v1/x", "/other", "/probe", 503, job.CapacityUnavailable, "it answers 503: oh"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := open(t, func(w http.ResponseWriter, r *http.Request) {
				if strings.Contains(test.fails, r.URL.Path) {
					answer(w, test.status, "oh")
					return
				}
				answer(w, 200, `{"N":3}`)
			}, func(c *Config) { c.Patience, c.Probe.Path = 4*time.Second, test.probe })
			defer asking(t, e, test.asks)()
			_, err := ask(t, e)
			wantFailure(t, err, test.want, test.says)
		})
	}
}

// asking asks for a path again and again, until it is stopped.
func asking(t *testing.T, e *Endpoint, path string) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for path != "" && ctx.Err() == nil {
			_ = e.Ask(ctx, Request{Path: path}, &reply{})
			time.Sleep(20 * time.Millisecond)
		}
	}()
	return func() { cancel(); <-ended }
}

// What a server answered before it failed is no sign that it answers others now.
func TestFailsAfterAnswers(t *testing.T) {
	t.Parallel()
	var broken atomic.Bool
	asked := make(chan bool)
	e := open(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/x" && !broken.Load() {
			asked <- true
			<-asked
		}
		if broken.Load() {
			answer(w, 500, "oh")
			return
		}
		answer(w, 200, `{"N":3}`)
	}, func(c *Config) { c.Patience = 4 * time.Second })
	failed := make(chan error)
	go func() { _, err := ask(t, e); failed <- err }()
	<-asked
	if err := e.Ask(t.Context(), Request{Path: "/other"}, &reply{}); err != nil {
		t.Error(err)
	}
	broken.Store(true)
	asked <- true
	wantFailure(t, <-failed, job.CapacityUnavailable, "it answers 500: oh")
}

func TestHeedsRetryAfter(t *testing.T) {
	t.Parallel()
	var first atomic.Int64
	e := open(t, func(w http.ResponseWriter, _ *http.Request) {
		now := time.Now().UnixMilli()
		if first.CompareAndSwap(0, now) {
			w.Header().Set("Retry-After", "2")
			answer(w, 429, "busy")
			return
		}
		if waited := now - first.Load(); waited < 1900 {
			t.Errorf("asked again after %d ms, want 2 s", waited)
		}
		answer(w, 200, `{"N":3}`)
	}, nil)
	if _, err := ask(t, e); err != nil {
		t.Error(err)
	}
}

// Patience ends: a server that is silent, that is not there, or that asks to
// wait for longer than anybody does.
func TestPatienceEnds(t *testing.T) {
	t.Parallel()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	for name, test := range map[string]struct {
		handler http.HandlerFunc
		change  func(*Config)
		says    string
	}{
		"silent": {silent, func(c *Config) { c.Timeout = 300 * time.Millisecond }, "no answer in 300ms"},
		"slow":   {trickle, func(c *Config) { c.Timeout = 300 * time.Millisecond }, "no answer in 300ms"},
		"away":   {nil, func(c *Config) { c.URL = "http://" + closed.Addr().String() }, "refused"},
		"patient": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "3600")
			answer(w, 503, "later")
		}, nil, "503: later"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := open(t, test.handler, func(c *Config) {
				c.Patience = time.Second
				if test.change != nil {
					test.change(c)
				}
			})
			began := time.Now()
			_, err := ask(t, e)
			wantFailure(t, err, job.CapacityUnavailable, test.says)
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}

// silent never answers.
func silent(_ http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body) // else the connection's end is not seen
	<-r.Context().Done()
}

// trickle sends a byte now and then, for ever.
func trickle(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	w.Header().Set("Content-Type", "application/json")
	for r.Context().Err() == nil {
		fmt.Fprint(w, " ")
		_ = http.NewResponseController(w).Flush()
		time.Sleep(20 * time.Millisecond)
	}
}

func TestBoundsWhatIsInFlight(t *testing.T) {
	t.Parallel()
	var now, most atomic.Int32
	e := open(t, func(w http.ResponseWriter, _ *http.Request) {
		n := now.Add(1)
		defer now.Add(-1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		time.Sleep(20 * time.Millisecond)
		answer(w, 200, `{"N":3}`)
	}, func(c *Config) { c.InFlight = 3 })
	errs := make(chan error)
	for range 12 {
		go func() { _, err := ask(t, e); errs <- err }()
	}
	for range 12 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if most.Load() != 3 {
		t.Errorf("%d in flight, want 3", most.Load())
	}
}

// Where all places are taken until patience ends, that is what the failure says.
func TestNoTurn(t *testing.T) {
	t.Parallel()
	asked := make(chan bool, 1)
	e := open(t, func(w http.ResponseWriter, r *http.Request) { asked <- true; silent(w, r) }, func(c *Config) {
		c.InFlight, c.Timeout, c.Patience = 1, time.Minute, time.Second
	})
	first := make(chan error)
	go func() { _, err := ask(t, e); first <- err }()
	<-asked
	_, second := ask(t, e)
	wantFailure(t, <-first, job.CapacityUnavailable, "did not answer in 1s: it was asked, and has not said anything")
	wantFailure(t, second, job.CapacityUnavailable, "did not answer in 1s") // it may have had the first one's last moment
}

func TestContextEndsWaiting(t *testing.T) {
	t.Parallel()
	e := open(t, func(w http.ResponseWriter, _ *http.Request) { answer(w, 503, "later") }, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := e.Ask(ctx, Request{Path: "/"}, &reply{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v, want the context's end", err)
	}
}

func TestConfigRefuses(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"", "host:8000", "ftp://host", "http://", "http://user:" + secret + "@host", "http://host?key=" + secret, ":" + secret} {
		_, err := Open(Config{URL: url})
		if err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%q: %v, want an error that does not repeat it", url, err)
		}
	}
	for url, want := range map[string]string{"http://h:1/": "http://h:1", "https://h/v1": "https://h", "https://h/api/v1/": "https://h/api"} {
		if e, err := Open(Config{URL: url}); err != nil || e.Name() != want {
			t.Errorf("%q: %v, want %s", url, err, want)
		}
	}
}
