package stack_test

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/winnow-video/winnow/workflows/stack"
	"github.com/winnow-video/winnow/workflows/stack/stacktest"
)

func TestMain(m *testing.M) { os.Exit(stacktest.Main(m)) }

func TestDial(t *testing.T) {
	t.Parallel()
	services := stacktest.Start(t)
	client, err := services.Temporal.Dial(t.Context(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	client.Close()
}

func TestAlive(t *testing.T) {
	t.Parallel()
	state := t.TempDir()
	d := stacktest.StartIn(t, state)
	if !d.Services.Alive() {
		t.Error("a running stack counts as dead")
	}
	if err := d.Kill(); err != nil {
		t.Fatal(err)
	}
	left, err := stack.ReadState(state)
	if err != nil {
		t.Fatal(err)
	}
	if left.Alive() {
		t.Error("the file of a killed stack counts as one that runs")
	}
	again := stacktest.StartIn(t, state)
	if !again.Services.Alive() || again.Services.NATS.Password != left.NATS.Password {
		t.Error("started again on the same folder, it does not run with the same credentials")
	}
}

func TestReadRefuses(t *testing.T) {
	t.Parallel()
	const s3 = `"s3":{"endpoint":"e","region":"r","bucket":"b","access_key":"a","secret_key":"s"}`
	for name, test := range map[string]struct{ text, want string }{
		"not JSON":        {`{"v":1,`, "unexpected end of JSON input"},
		"another version": {`{"v":2}`, "v is 2, and this program reads 1"},
		"no namespace":    {`{"v":1,"temporal":{"address":"x:1"}}`, "temporal.namespace is missing"},
		"no NATS":         {`{"v":1,"temporal":{"address":"x:1","namespace":"n"},` + s3 + `}`, "nats.urls is missing"},
		"no S3":           {`{"v":1,"temporal":{"address":"x:1","namespace":"n"},"nats":{"url":"nats://x:1"}}`, "s3.endpoint is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), stack.FileName)
			if err := os.WriteFile(file, []byte(test.text), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := stack.Read(file)
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), file) {
				t.Errorf("Read: %v, want %q and the file's name", err, test.want)
			}
		})
	}
}

func TestReadNothing(t *testing.T) {
	t.Parallel()
	if _, err := stack.ReadState(t.TempDir()); !errors.Is(err, stack.ErrNotRunning) {
		t.Errorf("Read: %v, want ErrNotRunning", err)
	}
}
