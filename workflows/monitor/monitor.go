// Package monitor tells how a program is, at an address of its own: /metrics is
// what it has counted, as Prometheus reads it, /healthz whether it lives, /readyz
// whether it can do its work.
//
// Programs make a Monitor and hand its parts to what they watch: Work to package
// workers, Infer to package infer, Cache to package diskcache. Each of those says
// itself what it tells, by an interface; none imports this package.
package monitor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/spf13/pflag"
)

const (
	checkLimit = 3 * time.Second // for all checks of a probe together
	checkEvery = 5 * time.Second // an answer is good for so long, however often it is asked for
)

// Check says what is wrong; nil: nothing.
type Check func(ctx context.Context) error

// Checks are a program's, by the name of what is looked at.
type Checks map[string]Check

// Monitor is what one program tells of itself; New
// makes it.
type Monitor struct {
	registry *prometheus.Registry

	mu    sync.Mutex
	state error  // why it is not ready; nil: Checks decide
	alive Checks // looked at by /healthz
	ready Checks // looked at by /readyz
	asked time.Time
	found error // by the checks of ready, when they were asked
}

var errStarting, errDraining = errors.New("starting"), errors.New("draining")

// New makes a Monitor of a program that starts.
func New() *Monitor {
	m := &Monitor{registry: prometheus.NewRegistry(), state: errStarting}
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Help is what a program tells of the flag.
const Help = `--metrics ADDR serves plain HTTP there, for machines that may see it: /metrics for Prometheus,
/healthz while the process lives and is not stuck, /readyz while it can do its work: connected to
its services, loaded, and not on its way out.`

// Bind gives set the flag.
func Bind(set *pflag.FlagSet, address *string) {
	set.StringVar(address, "metrics", "", "address of /metrics, /healthz and /readyz, such as :9464 (default: none)")
}

// Serve answers at address, host:port, until the returned function is called.
// Where address is empty nobody is answered.
func (m *Monitor) Serve(address string) (end func(), err error) {
	if address == "" {
		return func() {}, nil
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("--metrics %s: %w", address, err)
	}
	server := &http.Server{Handler: m.Handler(), ReadHeaderTimeout: checkLimit, WriteTimeout: 30 * time.Second}
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(listener) }) // it ends by Close
	return func() {
		_ = server.Close()
		serving.Wait()
	}, nil
}

// Handler answers the three paths.
func (m *Monitor) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, r *http.Request) { answer(w, m.Alive(r.Context())) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) { answer(w, m.Ready(r.Context())) })
	return mux
}

func answer(w http.ResponseWriter, wrong error) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if wrong != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprintln(w, wrong)
		return
	}
	fmt.Fprintln(w, "ok")
}

// Up says that the program does its work from now on, while these checks find
// nothing wrong. It is stuck where one of alive does.
func (m *Monitor) Up(ready, alive Checks) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.state, m.ready, m.alive = nil, ready, alive
}

// Drain says that the program takes nothing new any more.
func (m *Monitor) Drain() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.state = errDraining
}

// Alive is nil unless the program is stuck.
func (m *Monitor) Alive(ctx context.Context) error {
	m.mu.Lock()
	alive := m.alive
	m.mu.Unlock()
	return alive.run(ctx)
}

// Ready is nil while the program can do its work.
func (m *Monitor) Ready(ctx context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.state != nil {
		return m.state
	}
	if time.Since(m.asked) > checkEvery {
		m.found = m.ready.run(context.WithoutCancel(ctx))
		m.asked = time.Now()
	}
	return m.found
}

// run looks at everything at once.
func (c Checks) run(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, checkLimit)
	defer cancel()
	var mu sync.Mutex
	var wrong []error
	var looking sync.WaitGroup
	for name, check := range c {
		looking.Go(func() {
			if err := check(ctx); err != nil {
				mu.Lock()
				defer mu.Unlock()
				wrong = append(wrong, fmt.Errorf("%s: %w", name, err))
			}
		})
	}
	looking.Wait()
	return errors.Join(wrong...)
}
