package main

import (
	"fmt"
	"log/slog"
	"strings"
)

// natsLogger gives NATS's log lines to slog. It also listens to them, because NATS says in no other way that a stream can no
// longer be written: after one failed write the stream refuses all others until the server is started again.
type natsLogger struct {
	log    *slog.Logger
	failed chan<- error // gets the first lost stream
}

const lostStream = "critical write error" // as NATS says it, of a stream or a consumer

func (l natsLogger) Tracef(format string, v ...any)  { l.log.Debug(fmt.Sprintf(format, v...)) }
func (l natsLogger) Debugf(format string, v ...any)  { l.log.Debug(fmt.Sprintf(format, v...)) }
func (l natsLogger) Noticef(format string, v ...any) { l.log.Info(fmt.Sprintf(format, v...)) }
func (l natsLogger) Warnf(format string, v ...any)   { l.log.Warn(fmt.Sprintf(format, v...)) }

func (l natsLogger) Errorf(format string, v ...any) {
	line := fmt.Sprintf(format, v...)
	l.log.Error(line)
	if !strings.Contains(line, lostStream) {
		return
	}
	select {
	case l.failed <- fmt.Errorf("nats: %s\nThe disk is full or failing: make room, and start again. What was acknowledged is stored", line):
	default: // the first is enough
	}
}

// Fatalf logs and returns: NATS's own callers carry on, and the readiness probe says what does not answer.
func (l natsLogger) Fatalf(format string, v ...any) { l.log.Error(fmt.Sprintf(format, v...)) }
