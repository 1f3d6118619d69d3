package main

import (
	"crypto/sha256"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.temporal.io/server/common/headers"
)

func TestOtherServerVersionIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	startIn(t, dir).stop(t, syscall.SIGTERM)
	writeFile(t, dir, stampFile, "1.31.9\n")
	before := databaseBytes(t, dir)
	refused(t, []string{"--state", dir}, "1.31.9", headers.ServerVersion, databaseFile, "move")
	if diff := cmp.Diff(before, databaseBytes(t, dir)); diff != "" {
		t.Errorf("the database was touched (-before +after):\n%s", diff)
	}
	writeFile(t, dir, stampFile, headers.ServerVersion+"\n")
	startIn(t, dir).stop(t, syscall.SIGTERM)
}

// databaseBytes are the digests of the database and of what SQLite keeps beside it.
func databaseBytes(t *testing.T, dir string) map[string][sha256.Size]byte {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, databaseFile+"*"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("files of the database: %v, %v", paths, err)
	}
	sums := make(map[string][sha256.Size]byte)
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		sums[path] = sha256.Sum256(data)
	}
	return sums
}

func TestForeignDatabaseIsRefused(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ database, stamp, want string }{
		"no stamp":     {"SQLite format 3\x00 and more", "", stampFile},
		"text":         {"this is no database, it is text", headers.ServerVersion, "not a SQLite database"},
		"empty":        {"", headers.ServerVersion, "not a SQLite database"},
		"header alone": {"SQLite format 3\x00", headers.ServerVersion, "not a database"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			writeFile(t, dir, databaseFile, test.database)
			if test.stamp != "" {
				writeFile(t, dir, stampFile, test.stamp+"\n")
			}
			refused(t, []string{"--state", dir}, filepath.Join(dir, databaseFile), test.want)
			if data, err := os.ReadFile(filepath.Join(dir, databaseFile)); err != nil || string(data) != test.database {
				t.Errorf("the file was touched: %q, %v", data, err)
			}
		})
	}
}

// TestDatabaseWithoutItsLog starts on a database whose write-ahead log, and with it every table, is lost.
func TestDatabaseWithoutItsLog(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	startIn(t, dir).stop(t, syscall.SIGTERM)
	if err := os.Remove(filepath.Join(dir, databaseFile+"-wal")); err != nil {
		t.Fatal(err)
	}
	refused(t, []string{"--state", dir}, filepath.Join(dir, databaseFile), "bring back a copy")
}

// TestKilledWhileMakingTheDatabase starts on what such a kill leaves.
func TestKilledWhileMakingTheDatabase(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeFile(t, dir, databaseFile, "half a data")
	writeFile(t, dir, databaseFile+"-wal", "half a log")
	writeFile(t, dir, stampFile, creating+headers.ServerVersion+"\n")
	startIn(t, dir).stop(t, syscall.SIGTERM)
}

func writeFile(t *testing.T, dir, name, content string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
