package main

import (
	"context"
	"log/slog"
	"os"

	"go.temporal.io/server/common/log/tag"
)

// newLogger writes lines to standard error, which nobody needs to read: once its reader is gone, lines are lost, no more.
func newLogger(level slog.Level) *slog.Logger {
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
}

// temporalLogger gives Temporal's log lines to slog. Its warnings become information: at every start and stop its services
// warn that they do not reach each other yet, or any more.
type temporalLogger struct{ log *slog.Logger }

func (l temporalLogger) Debug(msg string, tags ...tag.Tag)  { l.write(slog.LevelDebug, msg, tags) }
func (l temporalLogger) Info(msg string, tags ...tag.Tag)   { l.write(slog.LevelInfo, msg, tags) }
func (l temporalLogger) Warn(msg string, tags ...tag.Tag)   { l.write(slog.LevelInfo, msg, tags) }
func (l temporalLogger) Error(msg string, tags ...tag.Tag)  { l.write(slog.LevelError, msg, tags) }
func (l temporalLogger) DPanic(msg string, tags ...tag.Tag) { l.write(slog.LevelError, msg, tags) }

// Panic panics, as Temporal's callers expect.
func (l temporalLogger) Panic(msg string, tags ...tag.Tag) {
	l.write(slog.LevelError, msg, tags)
	panic(msg)
}

// Fatal ends the process, as Temporal's callers expect. Nothing is lost that kill -9 would not lose.
func (l temporalLogger) Fatal(msg string, tags ...tag.Tag) {
	l.write(slog.LevelError, msg, tags)
	os.Exit(exitFailure)
}

func (l temporalLogger) write(level slog.Level, msg string, tags []tag.Tag) {
	if !l.log.Enabled(context.Background(), level) {
		return
	}
	attrs := make([]slog.Attr, len(tags))
	for i, t := range tags {
		attrs[i] = slog.Any(t.Key(), t.Value())
	}
	l.log.LogAttrs(context.Background(), level, msg, attrs...)
}
