package monitor

import "github.com/prometheus/client_golang/prometheus"

// Cache counts reads through --cache; package diskcache tells it.
type Cache struct {
	reads, bytes *prometheus.CounterVec
}

// Cache counts reads through --cache. Call it once.
func (m *Monitor) Cache() *Cache {
	c := &Cache{
		reads: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "winnow_cache_reads_total", Help: "Objects read through --cache: hit where the folder had them, miss where storage was read.",
		}, []string{"result"}),
		bytes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "winnow_cache_bytes_total", Help: "Bytes of the objects read through --cache.",
		}, []string{"result"}),
	}
	m.registry.MustRegister(c.reads, c.bytes)
	return c
}

// Read implements diskcache.Watcher.
func (c *Cache) Read(hit bool, bytes int) {
	result := "miss"
	if hit {
		result = "hit"
	}
	c.reads.WithLabelValues(result).Inc()
	c.bytes.WithLabelValues(result).Add(float64(bytes))
}
