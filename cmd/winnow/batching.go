package main

import (
	"strconv"
	"time"

	"github.com/spf13/pflag"
)

// batchingHelp ends the help of commands that start winnow-infer.
const batchingHelp = `--max-batch, --max-rows and --max-wait are handed on to every winnow-infer that is started: how large
its batches of questions may be, and how long a question waits for company. See winnow-infer -h.`

// batching is what winnow-infer is told of its batches. Zero leaves it its default.
type batching struct {
	batch, rows int
	wait        time.Duration
}

func (b *batching) bind(set *pflag.FlagSet) {
	set.IntVar(&b.batch, "max-batch", 0, "questions of a batch (default: winnow-infer's, 16)")
	set.IntVar(&b.rows, "max-rows", 0, "rows of prompts in a batch (default: winnow-infer's, 8192)")
	set.DurationVar(&b.wait, "max-wait", 0, "how long a question waits for company on an idle device")
}

// validate names the flag that cannot be.
func (b batching) validate() error {
	switch {
	case b.batch < 0:
		return usagef("--max-batch %d: want at least 1, or 0 for the default", b.batch)
	case b.rows < 0:
		return usagef("--max-rows %d: want at least 1, or 0 for the default", b.rows)
	case b.wait < 0:
		return usagef("--max-wait %v: want a duration like 5ms, or 0", b.wait)
	}
	return nil
}

// args are the flags that say the same: of `winnow up`, and of winnow-infer.
func (b batching) args() []string {
	var args []string
	if b.batch > 0 {
		args = append(args, "--max-batch", strconv.Itoa(b.batch))
	}
	if b.rows > 0 {
		args = append(args, "--max-rows", strconv.Itoa(b.rows))
	}
	if b.wait > 0 {
		args = append(args, "--max-wait", b.wait.String())
	}
	return args
}
