package cluster

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

const namespace = "winnow"

// Of a host's cache: its disk is small enough to be filled in no time.
const (
	cacheDisk  = 64 << 20
	cacheBytes = 32 << 20
)

// settings tell every program of Winnow where the servers are, as in deploy/compose.
func (c *Cluster) settings() []string {
	return []string{
		"WINNOW_TEMPORAL_ADDRESS=temporal:7233", "WINNOW_TEMPORAL_NAMESPACE=" + namespace,
		"WINNOW_NATS_URLS=" + c.natsURLs(func(h Host) string { return h.Name }),
		"WINNOW_NATS_USER=winnow", "WINNOW_NATS_PASSWORD=" + password, "WINNOW_NATS_REPLICAS=3",
		"WINNOW_S3_ENDPOINT=http://s3:7070", "WINNOW_S3_BUCKET=" + c.bucket,
		"WINNOW_S3_ACCESS_KEY=" + accessKey, "WINNOW_S3_SECRET_KEY=" + password,
	}
}

func (c *Cluster) worker(name string) service {
	return service{
		args: []string{c.program("winnow"), "worker", "--cache", c.cache(name), "--cache-bytes", strconv.Itoa(cacheBytes)},
		env:  c.settings(), supervised: true,
	}
}

func (c *Cluster) infer(name string) service {
	return service{
		args: []string{
			c.program("winnow-infer"), "--name", name, "--bundle", c.Bundle(), "--device", "cpu", "--threads", "1",
			"--cache", c.cache(name), "--cache-bytes", strconv.Itoa(cacheBytes),
		},
		env: c.settings(), supervised: true,
	}
}

func (c *Cluster) program(name string) string { return filepath.Join(c.config.Programs, name) }

// Bundle is the demo's.
func (c *Cluster) Bundle() string {
	return filepath.Join(c.config.Repository, "deploy", "bundle", "demo")
}

func (c *Cluster) cache(host string) string { return filepath.Join(c.folder(host), "cache") }

// mountCaches gives every host that has a cache a disk for it.
func (c *Cluster) mountCaches() error {
	for _, name := range append(append([]string{}, CPU...), Infer...) {
		dir := c.cache(name)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		if err := unix.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", cacheDisk)); err != nil {
			return fmt.Errorf("mount a disk at %s: %w", dir, err)
		}
	}
	return nil
}

func (c *Cluster) unmountCaches() {
	for _, name := range append(append([]string{}, CPU...), Infer...) {
		for unix.Unmount(c.cache(name), unix.MNT_DETACH) == nil {
		}
	}
}

// FillCache leaves no byte free on the disk of a host's cache.
func (c *Cluster) FillCache(host string) error {
	file, err := os.Create(c.filler(host))
	if err != nil {
		return err
	}
	defer file.Close()
	block := make([]byte, 64<<10)
	for {
		if _, err := file.Write(block); err != nil {
			return nil //nolint:nilerr // full, which was wanted
		}
	}
}

// FreeCache takes back what FillCache took.
func (c *Cluster) FreeCache(host string) error { return os.Remove(c.filler(host)) }

func (c *Cluster) filler(host string) string { return filepath.Join(c.cache(host), "filler") }

// UseBucket has all of Winnow keep everything in a bucket of its own from now on:
// nothing of one job is found by the next. It must not run.
func (c *Cluster) UseBucket(ctx context.Context, bucket string) error {
	c.bucket = bucket
	c.all = c.services()
	return c.Winnow(ctx, "doctor", "--fix")
}

// Winnow runs a command on the client's host, its output in that host's log.
func (c *Cluster) Winnow(ctx context.Context, args ...string) error {
	return c.run(ctx, c.host(Client), c.settings(), append([]string{c.program("winnow")}, args...))
}

// StartClient starts a command on the client's host; the client is a host like
// any other then, to be waited for or killed. What it prints goes to the host's log.
func (c *Cluster) StartClient(args ...string) error {
	p, err := c.start(c.host(Client), c.settings(), append([]string{c.program("winnow")}, args...))
	if err != nil {
		return err
	}
	c.set(Client, p)
	return nil
}
