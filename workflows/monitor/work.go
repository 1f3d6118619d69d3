package monitor

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// seconds are the buckets of what takes milliseconds to an hour.
var seconds = []float64{.005, .02, .1, .3, 1, 3, 10, 30, 100, 300, 1000, 3600}

// Work counts what a Temporal worker does; package workers tells it.
type Work struct {
	activities *prometheus.HistogramVec
	children   *prometheus.CounterVec
	fetched    prometheus.Counter
	slots      prometheus.Gauge
	requests   prometheus.Gauge
}

// Work counts what a Temporal worker does. Call it once.
func (m *Monitor) Work() *Work {
	w := &Work{
		activities: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "winnow_activity_seconds", Help: "Activities by how they ended: ok, canceled, or the code of their failure.", Buckets: seconds,
		}, []string{"activity", "outcome"}),
		children: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "winnow_decode_children_total", Help: "Runs of winnow-decode by how they ended: ok, failed, or killed for overrunning a limit or from outside.",
		}, []string{"outcome"}),
		fetched: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "winnow_decode_fetched_bytes_total", Help: "Bytes of videos that were read to decode them.",
		}),
		slots: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "winnow_call_slots", Help: "Slots of queue winnow-call in use: activities that ask for inference, and polls for them.",
		}),
		requests: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "winnow_call_requests", Help: "Requests for inference that are out.",
		}),
	}
	m.registry.MustRegister(w.activities, w.children, w.fetched, w.slots, w.requests)
	return w
}

// Activity implements workers.Watcher.
func (w *Work) Activity(name, outcome string, took time.Duration) {
	w.activities.WithLabelValues(name, outcome).Observe(took.Seconds())
}

// Decoded implements workers.Watcher.
func (w *Work) Decoded(outcome string, fetched int64) {
	w.children.WithLabelValues(outcome).Inc()
	w.fetched.Add(float64(fetched))
}

// Calling implements workers.Watcher.
func (w *Work) Calling(slots, requests int) {
	w.slots.Set(float64(slots))
	w.requests.Set(float64(requests))
}
