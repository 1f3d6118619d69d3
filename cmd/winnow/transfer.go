package main

import (
	"fmt"
	"sync"
	"time"
)

// transfer tells how far sending files has come: on a terminal in place, else by
// a line now and then. It counts what is read from it, as the S3 client does
// with what was sent.
type transfer struct {
	a     *app
	files int
	every time.Duration

	mu          sync.Mutex
	done, sent  int // files
	bytes       int64
	told        time.Time
	overwritten bool // the last line may be
}

func newTransfer(a *app, files int) *transfer {
	t := &transfer{a: a, files: files, every: 5 * time.Second, told: time.Now()}
	if isTerminal(a.err) {
		t.every = 200 * time.Millisecond
	}
	return t
}

// Read implements io.Reader: p was sent.
func (t *transfer) Read(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.bytes += int64(len(p))
	t.maybe()
	return len(p), nil
}

// file notes the end of a file, which was sent or lay there already.
func (t *transfer) file(sent bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.done++
	if sent {
		t.sent++
	}
	t.maybe()
}

func (t *transfer) maybe() {
	if time.Since(t.told) < t.every {
		return
	}
	t.told = time.Now()
	text := fmt.Sprintf("sending videos: %d of %d, %sB", t.done, t.files, si(float64(t.bytes)))
	if isTerminal(t.a.err) {
		fmt.Fprintf(t.a.err, "\r\x1b[K%s", text)
		t.overwritten = true
		return
	}
	t.a.tell(text)
}

// close says what was sent in all.
func (t *transfer) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.overwritten {
		fmt.Fprint(t.a.err, "\r\x1b[K")
	}
	t.a.tell(fmt.Sprintf("videos: %d of %d sent to S3 (%sB), %d lay there already",
		t.sent, t.files, si(float64(t.bytes)), t.done-t.sent))
}
