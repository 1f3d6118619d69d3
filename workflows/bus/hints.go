package bus

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	// pollEvery is how often an idle Puller looks for requests that no publication
	// announces: those another worker left behind.
	pollEvery = time.Second
	// arrival is how long after its announcement a request may be stored: a
	// cluster's servers agree first.
	arrival = time.Second
	// soonest is the pause before a request that was announced is asked for again.
	soonest = 2 * time.Millisecond
)

// hints tell which classes are worth asking for, so that an idle Puller asks none
// of them. Publications are announced; what is not, one look at the stream shows.
type hints struct {
	classes map[string]Class // by the subject's part before the key hash

	mu     sync.Mutex
	worth  map[Class]time.Time // asking for, and since when it was announced; zero: it was seen
	looked time.Time
}

// newHints takes every class for worth asking.
func newHints(stages []*stageQueue) *hints {
	h := &hints{classes: map[string]Class{}, worth: map[Class]time.Time{}}
	for _, stage := range stages {
		for _, class := range stage.classes {
			h.classes[strings.TrimSuffix(class.Filter(), "*")] = class
			h.worth[class] = time.Time{}
		}
	}
	return h
}

// announce notes that a request is being published.
func (h *hints) announce(subject string, now time.Time) {
	class, ours := h.classes[subject[:strings.LastIndexByte(subject, '.')+1]]
	if !ours {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.worth[class] = now
}

// likely says whether a class is worth asking for.
func (h *hints) likely(class Class) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	_, has := h.worth[class]
	return has
}

// fetched notes that a class had got of limit requests when it was asked. One
// that had fewer is empty, unless a request may be on its way still.
func (h *hints) fetched(class Class, asked time.Time, got, limit int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	since := h.worth[class]
	if onItsWay := asked.Sub(since) < arrival; got < limit && !onItsWay {
		delete(h.worth, class)
	}
}

// pause is how long Next waits when nothing happens: until the next look, less
// where a request was announced that is not there yet.
func (h *hints) pause(now time.Time) time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	pause := pollEvery
	for _, since := range h.worth {
		pause = min(pause, max(soonest, now.Sub(since)))
	}
	return pause
}

// due says whether it is time for a look, and notes that it is taken.
func (h *hints) due(now time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	due := now.Sub(h.looked) >= pollEvery
	if due {
		h.looked = now
	}
	return due
}

// seen notes what a look at the stream showed.
func (h *hints) seen(subjects map[string]uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for subject := range subjects {
		class, ours := h.classes[subject[:strings.LastIndexByte(subject, '.')+1]]
		if _, known := h.worth[class]; ours && !known {
			h.worth[class] = time.Time{}
		}
	}
}

// look asks the stream, now and then, which classes have requests. Those that
// others hold are among them: asking for these finds nothing.
func (p *Puller) look(ctx context.Context) error {
	if !p.hints.due(time.Now()) {
		return nil
	}
	if p.stream == nil {
		stream, err := p.bus.js.Stream(ctx, InferStream)
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			return nil
		}
		if err != nil {
			return unavailable(err)
		}
		p.stream = stream
	}
	info, err := p.stream.Info(ctx, jetstream.WithSubjectFilter(requestsOf(p.worker.Bundle)))
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil
	}
	if err != nil {
		return unavailable(err)
	}
	p.hints.seen(info.State.Subjects)
	return nil
}
