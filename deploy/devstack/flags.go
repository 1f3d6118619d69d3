package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
)

const usage = `winnow-devstack runs everything Winnow needs on one machine, in one process, on 127.0.0.1 only:

  Temporal   workflows, on SQLite, with its web UI     DIR/temporal.db
  NATS       JetStream queues and events               DIR/nats
  S3         tensors, records, results                 DIR/s3

Usage:
  winnow-devstack --state DIR [flags]

When all of them have answered it prints one line, "ready ...", and writes DIR/devstack.json (mode 0600) with every
address and credential. It runs until SIGTERM or SIGINT, then stops cleanly and removes that file; a second signal ends
it at once. After kill -9 or a power cut, start it again on the same DIR: workflows, queues and objects go on.

Flags:
  --state DIR            folder of all state; made if missing; one winnow-devstack at a time may use it (required)
  --temporal-port N      port of Temporal's gRPC frontend
  --temporal-ui-port N   port of Temporal's web UI
  --nats-port N          port of NATS
  --s3-port N            port of S3
                         0, the default: the port used in DIR before, else a free one from 20000 to 31999
  --log-level L          debug, info, warn or error; the log goes to standard error (default warn)
  --version              print the versions of the program and of the servers in it
  -h, --help             print this

Credentials for NATS and S3 are made at random on the first start in DIR and kept in DIR/credentials.json. Temporal and
its UI have no password: whoever can reach this machine's loopback can use them.

Exit codes: 0 stopped by a signal, 1 could not start or a server broke, 2 wrong usage.

Example:
  winnow-devstack --state .winnow/devstack
`

// options are what the command line says.
type options struct {
	state       string     // folder of all state; may be relative
	ports       ports      // wanted ports; 0 leaves the choice to winnow-devstack
	logLevel    slog.Level // least level that is logged
	showVersion bool       // print versions and stop
}

// parseFlags reads the command line. It returns flag.ErrHelp once help was asked for and printed.
func parseFlags(args []string) (options, error) {
	cfg := options{logLevel: slog.LevelWarn}
	flags := flag.NewFlagSet("winnow-devstack", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&cfg.state, "state", "", "")
	for _, p := range cfg.ports.all() {
		flags.IntVar(p.port, p.flag, 0, "")
	}
	flags.TextVar(&cfg.logLevel, "log-level", cfg.logLevel, "")
	flags.BoolVar(&cfg.showVersion, "version", false, "")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			fmt.Fprint(os.Stdout, usage)
		}
		return cfg, err
	}
	if flags.NArg() > 0 {
		return cfg, fmt.Errorf("unexpected argument %q: everything is said with flags", flags.Arg(0))
	}
	return cfg, cfg.validate()
}

// validate names the first flag whose value cannot be used.
func (c *options) validate() error {
	if c.showVersion {
		return nil
	}
	if c.state == "" {
		return errors.New("--state is missing: name the folder that holds, or shall hold, the stack's state")
	}
	for _, p := range c.ports.all() {
		if *p.port < 0 || *p.port > 65535 {
			return fmt.Errorf("--%s %d is no port: give 1 to 65535, or 0 to have one chosen", p.flag, *p.port)
		}
	}
	return nil
}
