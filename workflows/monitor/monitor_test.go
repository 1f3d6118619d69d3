package monitor_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/winnow-video/winnow/infer"
	"github.com/winnow-video/winnow/workers"
	"github.com/winnow-video/winnow/workflows/artifact/diskcache"
	"github.com/winnow-video/winnow/workflows/artifact/memstore"
	"github.com/winnow-video/winnow/workflows/job"
	"github.com/winnow-video/winnow/workflows/monitor"
	"github.com/winnow-video/winnow/workflows/stack/stacktest"
)

// get is the status and the text of one path.
func get(t *testing.T, m *monitor.Monitor, path string) (int, string) {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
	return w.Code, w.Body.String()
}

func want(t *testing.T, m *monitor.Monitor, path string, status int, text string) {
	t.Helper()
	if got, said := get(t, m, path); got != status || !strings.Contains(said, text) {
		t.Errorf("%s: %d %q, want %d and %q", path, got, said, status, text)
	}
}

func TestStates(t *testing.T) {
	t.Parallel()
	m := monitor.New()
	want(t, m, "/healthz", http.StatusOK, "ok")
	want(t, m, "/readyz", http.StatusServiceUnavailable, "starting")
	stuck := errors.New("stuck")
	m.Up(monitor.Checks{"s3": monitor.Storage(memstore.New())}, monitor.Checks{"queue": func(context.Context) error { return stuck }})
	want(t, m, "/readyz", http.StatusOK, "ok")
	want(t, m, "/healthz", http.StatusServiceUnavailable, "queue: stuck")
	stuck = nil
	want(t, m, "/healthz", http.StatusOK, "ok")
	m.Drain()
	want(t, m, "/readyz", http.StatusServiceUnavailable, "draining")
	want(t, m, "/healthz", http.StatusOK, "ok")
	if got, _ := get(t, m, "/"); got != http.StatusNotFound {
		t.Errorf("/: %d", got)
	}
}

// What is wrong is said by name, and looked at once for however many ask.
func TestChecks(t *testing.T) {
	t.Parallel()
	m := monitor.New()
	looks := 0
	m.Up(monitor.Checks{
		"nats": func(context.Context) error { looks++; return errors.New("not connected") },
		"s3":   func(context.Context) error { return nil },
	}, nil)
	for range 3 {
		want(t, m, "/readyz", http.StatusServiceUnavailable, "nats: not connected\n")
	}
	if looks != 1 {
		t.Errorf("looked %d times", looks)
	}
}

func TestServe(t *testing.T) {
	t.Parallel()
	m := monitor.New()
	address := stacktest.ClosedPort(t)
	end, err := m.Serve(address)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.Get("http://" + address + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if text, err := io.ReadAll(response.Body); err != nil || !strings.Contains(string(text), "process_resident_memory_bytes") {
		t.Errorf("%v, %q", err, text)
	}
	if _, err := monitor.New().Serve(address); err == nil || !strings.Contains(err.Error(), "--metrics "+address) {
		t.Errorf("an address that is taken: %v", err)
	}
	end()
	if _, err := http.Get("http://" + address + "/healthz"); err == nil {
		t.Error("it answers after its end")
	}
	if end, err := m.Serve(""); err != nil {
		t.Error(err)
	} else {
		end()
	}
}

// told is a Monitor of everything, told of something once.
func told() *monitor.Monitor {
	m := monitor.New()
	var w workers.Watcher = m.Work()
	w.Activity("Decode", "ok", time.Second)
	w.Decoded("killed", 100)
	w.Calling(3, 2)
	i := m.Infer()
	var watch infer.Watcher = i
	watch.Taken(job.StageEncode, time.Second)
	watch.Ran(job.StageAnswer, 4, 900, time.Second)
	watch.Finished(job.StageAnswer, nil)
	watch.Finished(job.StageAnswer, job.Fail(job.StageAnswer, job.ModelPoison, "why"))
	watch.Said(225, 3)
	i.Device(func() (busy, idle time.Duration) { return 3 * time.Second, time.Second })
	i.Memory(func() int64 { return 5 }, 9)
	var c diskcache.Watcher = m.Cache()
	c.Read(true, 1000)
	return m
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	m := told()
	for _, line := range []string{
		`winnow_activity_seconds_count{activity="Decode",outcome="ok"} 1`,
		`winnow_decode_children_total{outcome="killed"} 1`,
		`winnow_decode_fetched_bytes_total 100`,
		`winnow_call_slots 3`,
		`winnow_call_requests 2`,
		`winnow_infer_queue_seconds_sum{stage="encode"} 1`,
		`winnow_infer_batch_requests_sum{stage="answer"} 4`,
		`winnow_infer_batch_rows_sum{stage="answer"} 900`,
		`winnow_infer_run_seconds_count{stage="answer"} 1`,
		`winnow_infer_requests_total{code="ok",stage="answer"} 1`,
		`winnow_infer_requests_total{code="model/poison",stage="answer"} 1`,
		`winnow_infer_tokens_total{kind="prompt"} 225`,
		`winnow_infer_tokens_total{kind="completion"} 3`,
		`winnow_infer_device_busy_seconds_total 3`,
		`winnow_infer_device_idle_seconds_total 1`,
		`winnow_infer_kv_bytes 5`,
		`winnow_infer_kv_limit_bytes 9`,
		`winnow_cache_reads_total{result="hit"} 1`,
		`winnow_cache_bytes_total{result="hit"} 1000`,
	} {
		want(t, m, "/metrics", http.StatusOK, "\n"+line+"\n")
	}
}

var (
	metric    = regexp.MustCompile(`\bwinnow_[a-z_]+`)
	parts     = regexp.MustCompile(`_(bucket|sum|count)$`)
	typeLines = regexp.MustCompile(`(?m)^# TYPE (winnow_\S+)`)
)

// README's table has every metric, and Grafana asks for none that is not told.
func TestDocumented(t *testing.T) {
	t.Parallel()
	_, text := get(t, told(), "/metrics")
	var names []string
	for _, m := range typeLines.FindAllStringSubmatch(text, -1) {
		names = append(names, m[1])
	}
	slices.Sort(names)
	if diff := cmp.Diff(names, named(t, "../../README.md")); diff != "" {
		t.Errorf("README.md (-told +documented):\n%s", diff)
	}
	asked := named(t, "../../deploy/compose/grafana/dashboards/winnow.json")
	for _, name := range asked {
		if !slices.Contains(names, name) {
			t.Errorf("Grafana asks for %s", name)
		}
	}
	if len(asked) == 0 {
		t.Error("Grafana asks for none")
	}
}

// named are the metrics that a file names, sorted.
func named(t *testing.T, path string) []string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, name := range metric.FindAllString(string(text), -1) {
		names = append(names, parts.ReplaceAllString(name, ""))
	}
	slices.Sort(names)
	return slices.Compact(names)
}
