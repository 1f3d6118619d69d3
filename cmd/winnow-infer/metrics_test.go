package main

import (
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"github.com/winnow-video/winnow/workflows/stack/stacktest"
)

// told is what the process answers at a path; 0 where nobody does.
func told(t *testing.T, address, path string) (status int, text string) {
	t.Helper()
	response, err := http.Get("http://" + address + path)
	if err != nil {
		return 0, err.Error()
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

// A process tells what it has done, that it is ready, and, once it is to end, that
// it is not: it lives until what runs has ended.
func TestMetrics(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	_, js := r.raw(t)
	address := stacktest.ClosedPort(t)
	p := r.serve(t, "--metrics", address, "--drain", patience.String(), "--kv-memory", "1000000")
	if status, text := told(t, address, "/readyz"); status != http.StatusOK {
		t.Errorf("ready: %d %s", status, text)
	}
	failing := r.question(t, "failing", 0.5)
	failing.Answer.Line = 2
	r.ask(t, r.clip(t, "clip", 5), r.question(t, "question", 0.5), failing)()
	_, text := told(t, address, "/metrics")
	for _, line := range []string{
		`winnow_infer_requests_total{code="ok",stage="answer"} 1`,
		`winnow_infer_requests_total{code="ok",stage="encode"} 1`,
		`winnow_infer_requests_total{code="internal/error",stage="answer"} 1`,
		`winnow_infer_queue_seconds_count{stage="answer"} 2`,
		`winnow_infer_batch_requests_sum{stage="answer"} 1`,
		`winnow_infer_batch_rows_sum{stage="encode"} 5`,
		`winnow_infer_kv_limit_bytes 1e+06`,
	} {
		if !strings.Contains(text, "\n"+line+"\n") {
			t.Errorf("nothing says %s", line)
		}
	}
	for _, name := range []string{"winnow_infer_device_busy_seconds_total", "winnow_infer_kv_bytes", `winnow_infer_tokens_total{kind="prompt"}`} {
		if strings.Contains(text, "\n"+name+" 0\n") || !strings.Contains(text, "\n"+name+" ") {
			t.Errorf("%s is not told, or 0", name)
		}
	}
	if t.Failed() {
		t.Log(text)
	}
	long := r.clip(t, "long", endlessClip)
	before := p.taken(t)
	r.ask(t, long)
	r.held(t, js, long.Class(1), 1)
	p.computes(t, before, patience/60)
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	until(t, "it says that it drains", func() bool {
		status, text := told(t, address, "/readyz")
		return status == http.StatusServiceUnavailable && strings.Contains(text, "draining")
	})
	if status, text := told(t, address, "/healthz"); status != http.StatusOK {
		t.Errorf("it lives: %d %s", status, text)
	}
}
