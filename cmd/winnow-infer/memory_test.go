package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/winnow-video/winnow/infer/bundle"
	"github.com/winnow-video/winnow/infer/device"
)

func TestFreeMemory(t *testing.T) {
	t.Parallel()
	const meminfo = "MemTotal:       8000 kB\nMemFree:        100 kB\nMemAvailable:   4000 kB\n"
	for name, c := range map[string]struct {
		meminfo, limit, used string
		want                 int64
	}{
		"no control group":        {meminfo, "", "", 4000 << 10},
		"one without a limit":     {meminfo, "max\n", "5\n", 4000 << 10},
		"one with less left":      {meminfo, "1000000\n", "400000\n", 600000},
		"one with more left":      {meminfo, "100000000\n", "5\n", 4000 << 10},
		"one that is overdrawn":   {meminfo, "1000\n", "2000\n", 0},
		"a system that tells not": {"", "", "", unknownMemory},
		"an old kernel":           {"MemTotal: 8000 kB\n", "1000\n", "10\n", 990},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			for path, text := range map[string]string{
				"proc/meminfo": c.meminfo, "sys/fs/cgroup/memory.max": c.limit, "sys/fs/cgroup/memory.current": c.used,
			} {
				if text != "" {
					writeFile(t, filepath.Join(root, path), text)
				}
			}
			if got := freeMemory(root); got != c.want {
				t.Errorf("%d bytes, want %d", got, c.want)
			}
		})
	}
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestDefaultKV(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		free, prompt int64
		batch        int
		want         int64
	}{
		"a quarter":                        {1000, 100, 16, 250},
		"a small model needs less":         {1000, 10, 4, 80},
		"a long context may take more":     {1000, 400, 16, 400},
		"half, if one prompt would do so":  {1000, 700, 16, 500},
		"nothing is free; it is 1, not 0":  {0, 100, 16, 1},
		"a batch of one, and its prefixes": {1 << 40, 100, 1, 200},
	} {
		if got := defaultKV(c.free, c.prompt, c.batch); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

// The flag wins over the environment, and that over what suits the machine.
func TestKVMemory(t *testing.T) {
	b, err := bundle.Open(t.Context(), copyBundle(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	for name, c := range map[string]struct {
		flag        int64
		environment string
		want        int64 // 0: an error
	}{
		"flag":            {1000, "2000", 1000},
		"environment":     {0, "2000", 2000},
		"no number":       {0, "2 GB", 0},
		"none at all":     {0, "0", 0},
		"neither of them": {0, "", 2 * 16 * 2 * b.Dims.Language.KVBytes(b.Context, 4)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(kvMemoryVariable, c.environment)
			got, err := options{kv: c.flag, batch: 16}.kvMemory(t.Context(), b, device.Device{Provider: device.CPU})
			if got != c.want || (err != nil) != (c.want == 0) {
				t.Errorf("%d bytes, %v: want %d", got, err, c.want)
			}
		})
	}
}

// What the driver's tool says of cards, and what is taken where it says nothing of use.
func TestFreeCardMemory(t *testing.T) {
	for name, c := range map[string]struct {
		script string // nvidia-smi's; none: it is not there
		want   int64
	}{
		"one card":            {"echo 79000", 79000 << 20},
		"the fullest counts":  {"echo 79000; echo 12", 12 << 20},
		"no tool":             {"", unknownMemory},
		"a tool that fails":   {"echo 79000; exit 9", unknownMemory},
		"a card without one":  {"echo '[N/A]'", unknownMemory},
		"a tool without card": {"true", unknownMemory},
		"nonsense":            {"echo 99999999999999999", unknownMemory},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			t.Setenv("PATH", dir)
			if c.script != "" {
				tool := filepath.Join(dir, "nvidia-smi")
				writeFile(t, tool, "#!/bin/sh\n"+c.script+"\n")
				if err := os.Chmod(tool, 0o700); err != nil {
					t.Fatal(err)
				}
			}
			if got := freeCardMemory(t.Context()); got != c.want {
				t.Errorf("%d bytes, want %d", got, c.want)
			}
		})
	}
}
