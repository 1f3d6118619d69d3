package monitor

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/winnow-video/winnow/workflows/job"
)

// Infer counts what a winnow-infer does; package infer tells it.
type Infer struct {
	registry *prometheus.Registry
	waited   *prometheus.HistogramVec
	finished *prometheus.CounterVec
	batches  *prometheus.HistogramVec
	rows     *prometheus.HistogramVec
	ran      *prometheus.HistogramVec
	tokens   *prometheus.CounterVec
}

// Infer counts what a winnow-infer does. Call it once.
func (m *Monitor) Infer() *Infer {
	byStage := []string{"stage"}
	i := &Infer{
		registry: m.registry,
		waited: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "winnow_infer_queue_seconds", Help: "From a request's publication until it was taken off the queue; its count is the requests taken.", Buckets: seconds,
		}, byStage),
		finished: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "winnow_infer_requests_total", Help: "Requests that ended: code is ok, or that of their failure.",
		}, []string{"stage", "code"}),
		batches: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "winnow_infer_batch_requests", Help: "Requests that ran together.", Buckets: []float64{1, 2, 4, 8, 16, 32, 64, 128},
		}, byStage),
		rows: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "winnow_infer_batch_rows", Help: "Rows of the prompts, or frames, that ran together.", Buckets: prometheus.ExponentialBuckets(8, 2, 13),
		}, byStage),
		ran: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "winnow_infer_run_seconds", Help: "What a batch took.", Buckets: seconds,
		}, byStage),
		tokens: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "winnow_infer_tokens_total", Help: "Tokens of prompts, and those said to them.",
		}, []string{"kind"}),
	}
	m.registry.MustRegister(i.waited, i.finished, i.batches, i.rows, i.ran, i.tokens)
	return i
}

// Taken implements infer.Watcher.
func (i *Infer) Taken(stage job.Stage, waited time.Duration) {
	i.waited.WithLabelValues(string(stage)).Observe(max(0, waited.Seconds()))
}

// Ran implements infer.Watcher.
func (i *Infer) Ran(stage job.Stage, requests, rows int, took time.Duration) {
	i.batches.WithLabelValues(string(stage)).Observe(float64(requests))
	i.rows.WithLabelValues(string(stage)).Observe(float64(rows))
	i.ran.WithLabelValues(string(stage)).Observe(took.Seconds())
}

// Finished implements infer.Watcher.
func (i *Infer) Finished(stage job.Stage, failure *job.Failure) {
	code := "ok"
	if failure != nil {
		code = string(failure.Code)
	}
	i.finished.WithLabelValues(string(stage), code).Inc()
}

// Said implements infer.Watcher.
func (i *Infer) Said(prompt, completion int) {
	i.tokens.WithLabelValues("prompt").Add(float64(prompt))
	i.tokens.WithLabelValues("completion").Add(float64(completion))
}

// Device has load tell how long the device was busy, and how long it stood idle
// while requests waited.
func (i *Infer) Device(load func() (busy, idle time.Duration)) {
	i.registry.MustRegister(
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "winnow_infer_device_busy_seconds_total", Help: "Time in which graphs ran.",
		}, func() float64 { busy, _ := load(); return busy.Seconds() }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "winnow_infer_device_idle_seconds_total", Help: "Time in which none ran although a request waited.",
		}, func() float64 { _, idle := load(); return idle.Seconds() }),
	)
}

// Memory has used tell the bytes that keys and values take, of limit.
func (i *Infer) Memory(used func() int64, limit int64) {
	i.registry.MustRegister(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "winnow_infer_kv_bytes", Help: "Bytes that the decoder's keys and values take, prefixes kept for later included.",
		}, func() float64 { return float64(used()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "winnow_infer_kv_limit_bytes", Help: "Bytes that they may take: --kv-memory.",
		}, func() float64 { return float64(limit) }),
	)
}
