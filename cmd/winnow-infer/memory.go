package main

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/winnow-video/winnow/infer/bundle"
)

// unknownMemory is taken to be free where the system does not tell.
const unknownMemory = 4 << 30

// kvMemory is --kv-memory, else what the environment says, else what suits the
// bundle and the machine.
func (o options) kvMemory(b *bundle.Bundle) (int64, error) {
	if said := os.Getenv(kvMemoryVariable); o.kv == 0 && said != "" {
		n, err := strconv.ParseInt(said, 10, 64)
		if err != nil || n < 1 {
			return 0, fmt.Errorf("$%s is %q: want a number of bytes", kvMemoryVariable, said)
		}
		return n, nil
	}
	prompt := 2 * b.Dims.Language.KVBytes(b.Context, 4) // what a step reads, and what it writes
	return cmp.Or(o.kv, defaultKV(freeMemory("/"), prompt, o.batch)), nil
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
