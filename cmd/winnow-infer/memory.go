package main

import (
	"context"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/winnow-video/winnow/infer/bundle"
	"github.com/winnow-video/winnow/infer/device"
)

// unknownMemory is taken to be free where the system, or a card's driver, does not tell.
const unknownMemory = 4 << 30

// cardPatience is how long the driver's tool may take to tell.
const cardPatience = 10 * time.Second

// kvMemory is --kv-memory, else what the environment says, else what suits the
// bundle, the machine and the device.
func (o options) kvMemory(ctx context.Context, b *bundle.Bundle, d device.Device) (int64, error) {
	if o.kv > 0 {
		return o.kv, nil
	}
	if said := os.Getenv(kvMemoryVariable); said != "" {
		n, err := strconv.ParseInt(said, 10, 64)
		if err != nil || n < 1 {
			return 0, fmt.Errorf("$%s is %q: want a number of bytes", kvMemoryVariable, said)
		}
		return n, nil
	}
	prompt := 2 * b.Dims.Language.KVBytes(b.Context, 4) // what a step reads, and what it writes
	free := freeMemory("/")
	if d.Provider != device.CPU { // a step takes as much again there
		free = min(free, freeCardMemory(ctx))
	}
	return defaultKV(free, prompt, o.batch), nil
}

// defaultKV is a quarter of the free memory; up to half of it where one prompt
// of the whole context, of prompt bytes, takes that. It is never more than a
// batch of such prompts needs, with as much again for prefixes.
func defaultKV(free, prompt int64, batch int) int64 {
	return max(1, min(max(free/4, min(prompt, free/2)), 2*int64(batch)*prompt))
}

// freeMemory is the bytes that this process may still take, by the kernel and by
// its control group, below root, which is / outside of tests.
func freeMemory(root string) int64 {
	free, err := availableMemory(filepath.Join(root, "proc", "meminfo"))
	if err != nil {
		free = unknownMemory
	}
	group := filepath.Join(root, "sys", "fs", "cgroup")
	limit, err1 := readBytes(filepath.Join(group, "memory.max"))
	used, err2 := readBytes(filepath.Join(group, "memory.current"))
	if err1 == nil && err2 == nil {
		free = min(free, max(0, limit-used))
	}
	return free
}

// freeCardMemory is the bytes free on the card that has least of them: which of
// several the driver's tool means by a number depends on more than the number.
func freeCardMemory(ctx context.Context) int64 {
	ctx, cancel := context.WithTimeout(ctx, cardPatience)
	defer cancel()
	text, err := exec.CommandContext(ctx, "nvidia-smi", "--query-gpu=memory.free", "--format=csv,noheader,nounits").Output()
	if err != nil {
		return unknownMemory
	}
	least := int64(math.MaxInt64)
	for line := range strings.Lines(string(text)) {
		mebibytes, err := strconv.ParseInt(strings.TrimSpace(line), 10, 44)
		if err != nil {
			return unknownMemory
		}
		least = min(least, mebibytes<<20)
	}
	if least == math.MaxInt64 {
		return unknownMemory
	}
	return least
}

// availableMemory reads MemAvailable of /proc/meminfo.
func availableMemory(path string) (int64, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	_, rest, has := strings.Cut(string(text), "MemAvailable:")
	var kibibytes int64
	if _, err := fmt.Sscan(rest, &kibibytes); !has || err != nil {
		return 0, fmt.Errorf("%s: no MemAvailable", path)
	}
	return kibibytes << 10, nil
}

// readBytes reads a file of one number.
func readBytes(path string) (int64, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
}
