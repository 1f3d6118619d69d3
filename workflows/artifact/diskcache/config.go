package diskcache

import (
	"fmt"
	"log/slog"

	"github.com/spf13/pflag"

	"github.com/winnow-video/winnow/workflows/artifact"
)

// Config says where a program keeps what it reads. Without a folder it keeps nothing.
type Config struct {
	Dir   string
	Bytes int64 // of all files; default 10 GiB
	Watch Watcher
}

// Watcher is told what became of reads; nil: nobody is.
type Watcher interface {
	// Read tells of an object that was found in the folder (hit) or read from behind it.
	Read(hit bool, bytes int)
}

// Help is what a program tells of the flags.
const Help = `--cache names a folder, of this program alone, that keeps objects read from S3: give it where S3 is
far away and videos are asked about more than once. It never holds more than --cache-bytes; a
disk that is full costs reads, nothing else.`

// Bind gives set the flags.
func (c *Config) Bind(set *pflag.FlagSet) {
	set.StringVar(&c.Dir, "cache", "", "folder that keeps objects read from S3 (default: none is kept)")
	set.Int64Var(&c.Bytes, "cache-bytes", 10<<30, "bytes that --cache may hold")
}

// Validate names the flag that cannot be.
func (c Config) Validate() error {
	if c.Dir != "" && c.Bytes < least {
		return fmt.Errorf("--cache-bytes %d: want at least %d", c.Bytes, least)
	}
	return nil
}

// Open is behind with the cache in front of it, if there is one, and what ends its use.
func (c Config) Open(behind artifact.Store, log *slog.Logger) (store artifact.Store, end func(), err error) {
	if c.Dir == "" {
		return behind, func() {}, nil
	}
	cache, err := Open(behind, c.Dir, c.Bytes, log)
	if err != nil {
		return nil, nil, err
	}
	cache.watch = c.Watch
	return cache, cache.Close, nil
}
