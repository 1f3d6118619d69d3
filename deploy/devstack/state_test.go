package main

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestFullDiskIsNamed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := requireSpace(dir, 1); err != nil {
		t.Error(err)
	}
	if err := requireSpace(dir, math.MaxUint64); err == nil || !strings.Contains(err.Error(), "make room") || !strings.Contains(err.Error(), dir) {
		t.Errorf("with less free than needed: %v", err)
	}
}

// TestOddFolderNames starts in folders whose names mean something in a URI or a pattern.
func TestOddFolderNames(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "a b#c?d=%41&[é]*")
	startIn(t, dir).stop(t, syscall.SIGTERM)
	for _, name := range []string{databaseFile, "nats", "s3/winnow"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
}
