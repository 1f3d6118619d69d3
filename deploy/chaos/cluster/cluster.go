// Package cluster is all that Winnow runs on, on one machine: every host is a
// network namespace with an address of its own, cabled to one bridge, and runs
// one program of production: PostgreSQL, Temporal, three NATS servers, an S3
// server, two `winnow worker`, two winnow-infer, and a host for clients. What
// runs on a host can be killed and started again, its cable pulled, its disk filled.
//
// It takes root. Everything lies in one folder, logs among it; whatever an
// earlier process left running is ended first.
package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"
	"golang.org/x/sys/unix"

	"github.com/winnow-video/winnow/workflows/artifact/s3store"
)

// Names of the hosts that there are several of, and of the client's.
var (
	NATS  = []string{"nats-0", "nats-1", "nats-2"}
	CPU   = []string{"cpu-0", "cpu-1"}
	Infer = []string{"infer-0", "infer-1"}
)

// Client is the host that `winnow submit` and `winnow watch` run on.
const Client = "client"

// startLimit is what a busy machine may take to start a server.
const startLimit = 2 * time.Minute

// stopLimit is longer than any program's own --drain.
const stopLimit = time.Minute

// Config says where things are. All fields are needed; paths are absolute.
type Config struct {
	State      string // folder of everything; made, and emptied first. PostgreSQL's user must get there
	Repository string // the root of Winnow's tree: deploy/compose and deploy/bundle are read
	Programs   string // folder of winnow, winnow-decode, winnow-infer
	Servers    string // folder of temporal-server, temporal-sql-tool, nats-server, versitygw
	Postgres   string // folder of PostgreSQL's programs
}

// Cluster is a running one.
type Cluster struct {
	config Config
	hosts  []Host
	lock   *os.File
	bucket string
	all    map[string]service

	mu      sync.Mutex
	running map[string]*process // by host
}

// Hosts lists all, in the order in which they are started.
func Hosts() []Host {
	names := slices.Concat([]string{"postgres", "temporal", "s3"}, NATS, CPU, Infer, []string{Client})
	var hosts []Host
	for i, name := range names {
		hosts = append(hosts, newHost(i, name))
	}
	return hosts
}

// Open lays the network and starts the servers; Winnow's own programs are
// started by Start, after UseBucket. Close must be called, also after an error.
func Open(ctx context.Context, config Config) (*Cluster, error) {
	c := &Cluster{config: config, hosts: Hosts(), running: map[string]*process{}}
	if err := c.claim(ctx); err != nil {
		return c, err
	}
	if err := c.layOut(ctx); err != nil {
		return c, err
	}
	c.all = c.services()
	if err := c.initDatabase(ctx); err != nil {
		return c, err
	}
	if err := c.Start(ctx, "postgres"); err != nil {
		return c, err
	}
	if err := c.initTemporal(ctx); err != nil {
		return c, err
	}
	return c, c.Start(ctx, append([]string{"temporal", "s3"}, NATS...)...)
}

// claim refuses a state folder that another process uses, and clears up after one that was killed.
func (c *Cluster) claim(ctx context.Context) error {
	if err := os.MkdirAll(c.config.State, 0o755); err != nil {
		return err
	}
	lock, err := os.OpenFile(filepath.Join(c.config.State, "lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return err
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		lock.Close()
		return fmt.Errorf("%s: another chaos runs here", c.config.State)
	}
	c.lock = lock
	return c.clear(ctx)
}

func (c *Cluster) clear(ctx context.Context) error {
	err := clear(ctx, c.hosts)
	c.unmountCaches()
	return err
}

// layOut makes folders and network anew.
func (c *Cluster) layOut(ctx context.Context) error {
	for _, part := range []string{"hosts", "logs"} {
		if err := os.RemoveAll(filepath.Join(c.config.State, part)); err != nil {
			return err
		}
	}
	dirs := []string{filepath.Join(c.config.State, "logs"), c.objects()}
	for _, h := range c.hosts {
		dirs = append(dirs, c.folder(h.Name))
	}
	for _, dir := range dirs {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	if err := c.mountCaches(); err != nil {
		return err
	}
	return lay(ctx, c.hosts)
}

// Close ends all that runs and takes the network down. Logs and data stay.
func (c *Cluster) Close() error {
	if c.lock == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), stopLimit)
	defer cancel()
	return errors.Join(c.clear(ctx), c.lock.Close())
}

// host is the one of a name that there is.
func (c *Cluster) host(name string) Host {
	i := slices.IndexFunc(c.hosts, func(h Host) bool { return h.Name == name })
	return c.hosts[i]
}

// Addrs are the addresses of hosts.
func (c *Cluster) Addrs(names []string) []string {
	var addrs []string
	for _, name := range names {
		addrs = append(addrs, c.host(name).Addr)
	}
	return addrs
}

func (c *Cluster) folder(host string) string { return filepath.Join(c.config.State, "hosts", host) }

// LogPath is where all that a host's programs print is appended.
func (c *Cluster) LogPath(host string) string {
	return filepath.Join(c.config.State, "logs", host+".log")
}

// run runs a command on a host to its end.
func (c *Cluster) run(ctx context.Context, h Host, env, args []string) error {
	p, err := c.start(h, env, args)
	if err != nil {
		return err
	}
	select {
	case <-p.done:
	case <-ctx.Done():
		p.kill()
		return ctx.Err()
	}
	if state := p.cmd.ProcessState; !state.Success() {
		return fmt.Errorf("on %s: %s: %v: see %s", h.Name, args[0], state, c.LogPath(h.Name))
	}
	return nil
}

// Start starts what hosts run and waits until they serve. A server that ends at
// once, because something of its forerunner still lives, is started again.
func (c *Cluster) Start(ctx context.Context, names ...string) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	for _, name := range names {
		if err := c.launch(name); err != nil {
			return err
		}
	}
	for _, name := range names {
		if err := c.await(ctx, name); err != nil {
			return fmt.Errorf("start %s: %w: see %s", name, err, c.LogPath(name))
		}
	}
	return nil
}

func (c *Cluster) launch(name string) error {
	s := c.all[name]
	p, err := c.start(c.host(name), s.env, s.args)
	if err != nil {
		return err
	}
	c.set(name, p)
	if s.supervised {
		go c.supervise(name, p)
	}
	return nil
}

// restartAfter is what a supervisor waits before it starts a program again.
const restartAfter = 2 * time.Second

// supervise starts a program again that ended by itself: one that begins while a
// service is away says so and ends, and is not left at that in production.
func (c *Cluster) supervise(name string, p *process) {
	<-p.done
	if time.Sleep(restartAfter); !p.asked.Load() {
		_ = c.launch(name) // that it does not run, the audit shows
	}
}

func (c *Cluster) await(ctx context.Context, name string) error {
	ready := c.all[name].ready
	if ready == nil {
		return nil
	}
	for {
		asking, cancel := context.WithTimeout(ctx, 5*time.Second)
		err := ready(asking)
		cancel()
		if err == nil {
			return nil
		}
		if !c.get(name).runs() {
			if err := c.launch(name); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		case <-time.After(300 * time.Millisecond):
		}
	}
}

func (c *Cluster) set(host string, p *process) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.running[host] = p
}

func (c *Cluster) get(host string) *process {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.running[host]
}

// Kill ends a host's program by kill -9. Its children are left to themselves.
func (c *Cluster) Kill(name string) { c.get(name).kill() }

// Freeze stops the programs of hosts in their tracks; Thaw lets them go on.
func (c *Cluster) Freeze(names []string) { c.signal(names, syscall.SIGSTOP) }

// Thaw undoes Freeze.
func (c *Cluster) Thaw(names []string) { c.signal(names, syscall.SIGCONT) }

func (c *Cluster) signal(names []string, s syscall.Signal) {
	for _, name := range names {
		_ = c.get(name).cmd.Process.Signal(s) // one that has ended needs none
	}
}

// Stop has the programs of hosts end in good order.
func (c *Cluster) Stop(names ...string) error {
	var errs []error
	c.signal(names, syscall.SIGTERM)
	for _, name := range names {
		errs = append(errs, c.get(name).stop(stopLimit))
	}
	return errors.Join(errs...)
}

// Ended is closed when the program that runs on a host now has ended.
func (c *Cluster) Ended(name string) <-chan struct{} { return c.get(name).done }

// ExitCode is that of a program which has ended; negative after a signal.
func (c *Cluster) ExitCode(name string) int { return c.get(name).cmd.ProcessState.ExitCode() }

// Storage is the bucket in use, as this process reaches it.
func (c *Cluster) Storage() s3store.Config {
	return s3store.Config{
		Endpoint: c.host("s3").Addr + ":7070", Region: "us-east-1", Bucket: c.bucket, AccessKey: accessKey, SecretKey: password,
	}
}

// Queue connects to the NATS cluster; any of its servers may go.
func (c *Cluster) Queue() (*nats.Conn, error) {
	urls := c.natsURLs(func(h Host) string { return h.Addr })
	return nats.Connect(urls, nats.UserInfo("winnow", password), nats.MaxReconnects(-1), nats.ReconnectWait(time.Second))
}

// Clear ends what an earlier process left running.
func Clear(ctx context.Context, config Config) error {
	c := &Cluster{config: config, hosts: Hosts()}
	return errors.Join(c.claim(ctx), c.Close())
}
