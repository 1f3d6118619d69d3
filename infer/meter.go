package infer

import (
	"log/slog"
	"sync"
	"time"

	"github.com/winnow-video/winnow/workflows/bus"
)

// tellEvery is how often a Server that works tells how busy it was.
const tellEvery = time.Minute

// Load is how a server's device spent the time in which requests were there.
type Load struct {
	Busy time.Duration // graphs ran
	Idle time.Duration // none ran, though a request had been published that they ran next
}

// IdleShare is Idle's of both; 0 before anything ran.
func (l Load) IdleShare() float64 {
	if l.Busy+l.Idle == 0 {
		return 0
	}
	return l.Idle.Seconds() / (l.Busy + l.Idle).Seconds()
}

// meter measures a Load, and what of Busy each run had: runs side by side share it
// evenly, so that all of theirs add up to it. The queue's clock tells when a
// request was published, so Idle is no better than that and ours agree.
type meter struct {
	mu      sync.Mutex
	running int
	since   time.Time     // of the last change
	each    time.Duration // what one that had run from the start would have had
	load    Load
}

// begin notes that graphs begin to run at now what has waited since a time. end
// wants what it returns.
func (m *meter) begin(now, waiting time.Time) (began time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.running == 0 {
		if waiting.Before(m.since) {
			waiting = m.since
		}
		m.load.Idle += max(0, now.Sub(waiting))
	}
	m.pass(now)
	m.running++
	return m.each
}

// end notes that they have run, and returns their share of the device's time.
func (m *meter) end(now time.Time, began time.Duration) time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.pass(now)
	m.running--
	return m.each - began
}

// pass shares the time since the last change out among what runs.
func (m *meter) pass(now time.Time) {
	if m.running > 0 {
		m.load.Busy += now.Sub(m.since)
		m.each += now.Sub(m.since) / time.Duration(m.running)
	}
	m.since = now
}

func (m *meter) read() Load {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.load
}

// tell logs the load every minute in which it grew, and when done is closed.
func (m *meter) tell(log *slog.Logger, done <-chan struct{}) {
	tick := time.NewTicker(tellEvery)
	defer tick.Stop()
	var told Load
	for over := false; !over; {
		select {
		case <-done:
			over = true
		case <-tick.C:
		}
		if load := m.read(); load != told {
			told = load
			log.Info("device", "busy_s", load.Busy.Seconds(), "idle_while_requests_wait_s", load.Idle.Seconds(), "idle_share", load.IdleShare())
		}
	}
}

// waiting is since when the longest of requests waits.
func waiting(leases []*bus.Lease) time.Time {
	var first time.Time
	for i, l := range leases {
		if i == 0 || l.Published.Before(first) {
			first = l.Published
		}
	}
	return first
}
