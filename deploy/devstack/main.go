// Winnow-devstack is Winnow's embedded default: a real Temporal server on SQLite with its web UI, a real NATS server
// with JetStream on disk and a real S3 server, on loopback, in one process. A state folder goes in; a ready file
// (devstack.json) with every address and credential comes out. The winnow program starts it and reads that file; it
// knows nothing of winnow.
//
// The state folder:
//
//	devstack.json      the ready file: there while the stack answers (announce.go)
//	devstack.lock      locked while a winnow-devstack runs; holds its pid
//	credentials.json   of NATS and S3, made at random on the first start
//	ports.json         the ports of the last start
//	temporal.db        Temporal's database, with temporal.db-wal and temporal.db-shm
//	temporal.version   the Temporal server version that wrote it
//	nats/              JetStream's streams
//	s3/                a folder a bucket, a file an object; metadata in extended attributes
//	metadata/          the same metadata in files, only on filesystems without extended attributes
//
// Build it without cgo, so that one build cache serves: CGO_ENABLED=0 go build -ldflags '-s -w' .
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
)

// The program's exit codes.
const (
	exitOK      = 0 // stopped by a signal, or asked for -h or --version
	exitFailure = 1 // could not start, or a server broke
	exitUsage   = 2 // flags it does not understand
)

func main() { os.Exit(run(os.Args[1:])) }

// run is the program without its process: arguments in, exit code out.
func run(args []string) int {
	cfg, err := parseFlags(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return exitOK
	case err != nil:
		fmt.Fprintf(os.Stderr, "winnow-devstack: %v\nwinnow-devstack -h lists the flags.\n", err)
		return exitUsage
	case cfg.showVersion:
		fmt.Println(versionLine())
		return exitOK
	}
	if err := serve(cfg); err != nil {
		fmt.Fprintf(os.Stderr, "winnow-devstack: %s\n", explain(err))
		return exitFailure
	}
	return exitOK
}
