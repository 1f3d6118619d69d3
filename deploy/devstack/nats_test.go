package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// TestLostStreamEndsTheProgram lets a write to a stream fail. NATS refuses every later one until it is started again, so the program
// says why and ends; started again, it takes messages.
func TestLostStreamEndsTheProgram(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cmd := program(t, "--state", dir)
	cmd.Env = append(cmd.Env, fileSize+"=6291456") // more than the database needs, less than a block of a stream
	in := started(t, dir, cmd)
	js := in.jetStream(t)
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "Q", Subjects: []string{"q"}}); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		if publish(t, js) != nil {
			break
		}
	}
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != exitFailure || !strings.Contains(in.stderr.String(), "make room") {
		t.Errorf("exit code %d, want %d; standard error:\n%s", code, exitFailure, in.stderr)
	}
	if _, err := os.Stat(filepath.Join(dir, readyFile)); err == nil {
		t.Errorf("the ready file is still there")
	}

	in = startIn(t, dir)
	if err := publish(t, in.jetStream(t)); err != nil {
		t.Errorf("after another start: %v", err)
	}
	in.stop(t, syscall.SIGTERM)
}

func publish(t *testing.T, js jetstream.JetStream) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	_, err := js.Publish(ctx, "q", make([]byte, 900_000))
	return err
}
