// Package endpoint asks an HTTP server that speaks OpenAI's protocol. JSON goes
// out and comes back; what goes wrong is a typed failure of the answer stage.
//
// One exchange is an asker. Bounding how many are in flight and trying again
// are askers around it: see limited and patient. infer/vllm asks through it.
package endpoint

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"
)

// Config says where the server is and how patient Winnow is with it.
type Config struct {
	URL      string        // of the server; a final /v1 may be left out. Required
	Key      string        // sent as a bearer token; default none. It is told to nobody else
	InFlight int           // exchanges at once; default 16
	Timeout  time.Duration // of one exchange; default 2 min
	Patience time.Duration // with one request: waits and further tries included; default 5 min
	MaxReply int64         // bytes of an answer; default 16 MiB
	Probe    Request       // small, and answered by a server that is well: asked where it fails on another. Default none
}

// WithDefaults fills in what is not set.
func (c Config) WithDefaults() Config {
	c.InFlight = cmp.Or(c.InFlight, 16)
	c.Timeout = cmp.Or(c.Timeout, 2*time.Minute)
	c.Patience = cmp.Or(c.Patience, 5*time.Minute)
	c.MaxReply = cmp.Or(c.MaxReply, 16<<20)
	return c
}

// Validate names what cannot be. It never repeats the URL's credentials.
func (c Config) Validate() error {
	u, err := url.Parse(c.URL)
	switch {
	case c.URL == "":
		return errors.New("the server's URL is missing")
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return errors.New("the server's URL: want one like http://host:8000")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return errors.New("the server's URL: want no credentials, query or fragment: a key comes from the environment")
	case c.InFlight < 0 || c.Timeout < 0 || c.Patience < 0 || c.MaxReply < 0:
		return errors.New("limits of the server: want them positive, or 0 for the default")
	}
	return nil
}

// Endpoint is one server. It is safe for concurrent use.
type Endpoint struct {
	name  string
	asker asker
	http  *http.Client
}

// Open fills in defaults; it does not connect. Close it.
func Open(cfg Config) (*Endpoint, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.WithDefaults()
	base := strings.TrimSuffix(strings.TrimRight(cfg.URL, "/"), "/v1")
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = cfg.InFlight
	client := &http.Client{
		Transport: transport,
		// A redirect would take the key and the prompt somewhere else.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	one := exchange{base: base, cfg: cfg, client: client}
	bounded := limited{one, semaphore.NewWeighted(int64(cfg.InFlight))}
	return &Endpoint{name: base, asker: patient{bounded, cfg.Patience, cfg.Probe, &atomic.Int64{}}, http: client}, nil
}

// Name is the server's URL.
func (e *Endpoint) Name() string { return e.name }

// Close drops idle connections.
func (e *Endpoint) Close() { e.http.CloseIdleConnections() }

// Request is one question to the server.
type Request struct {
	Path string               // below the URL: /v1/models
	Body func() io.ReadCloser // JSON, anew for every try; nil: GET
	Size int64                // of the body, bytes
}

// Ask asks until there is an answer, and reads its JSON into reply. The error
// is a *job.Failure, or of ctx.
func (e *Endpoint) Ask(ctx context.Context, r Request, reply any) error {
	text, err := e.asker.ask(ctx, r)
	if err != nil {
		return err
	}
	return parse(text, reply)
}

// Serves refuses a server that does not serve a model. window is the context
// that it was started with, tokens; 0 where the server does not say.
func (e *Endpoint) Serves(ctx context.Context, model string) (window int, err error) {
	var served struct {
		Data []struct {
			ID          string
			MaxModelLen int `json:"max_model_len"` // vLLM's
		}
	}
	if err := e.Ask(ctx, Request{Path: "/v1/models"}, &served); err != nil {
		return 0, err
	}
	var others []string
	for _, m := range served.Data {
		if m.ID == model {
			return m.MaxModelLen, nil
		}
		others = append(others, m.ID)
	}
	return 0, fmt.Errorf("the server does not serve %q, but %s", model, clip(fmt.Sprintf("%q", others)))
}

// asker asks one question. Its error is a *job.Failure, an *again, or of ctx.
type asker interface {
	ask(ctx context.Context, r Request) ([]byte, error)
}

// again is why an exchange came to nothing that another one may mend.
type again struct {
	after  time.Duration // asked for by the server; 0 where it did not say
	failed bool          // the server says that it failed: 500
	why    string
}

func (a *again) Error() string { return fmt.Sprintf("the language server: %s", a.why) }
