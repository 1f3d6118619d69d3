package supervise

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/winnow-video/winnow/workflows/stack"
	"github.com/winnow-video/winnow/workflows/wait"
)

// Files of a state folder that belong to the supervisor.
const (
	lockFile     = "lock"          // held by the supervisor
	usersFile    = "users"         // shared by who uses the stack
	upFile       = "up.json"       // what runs; read by Attach
	childrenFile = "children.json" // the ledger
	logFolder    = "logs"
)

// Up is DIR/up.json: the running supervisor.
type Up struct {
	V int `json:"v"`
	Identity
	Lasting    bool   `json:"lasting"`         // started by `winnow up`; false: it stops with its last user
	Place      string `json:"place,omitempty"` // of services outside; empty: the stack has its own
	TemporalUI string `json:"temporal_ui"`
}

// Work is what the supervisor does itself beside its children: it serves the
// Temporal task queues until ctx ends. serve has a winnow-infer started for a bundle.
type Work func(ctx context.Context, services stack.Services, serve func(ctx context.Context, bundle string) error) error

// Config is what a supervisor needs.
type Config struct {
	State       string          // state folder, absolute
	Lasting     bool            // keep running without users
	Devstack    string          // program; unused with Outside
	Infer       string          // program
	InferArgs   []string        // flags of every winnow-infer
	Outside     *stack.Services // used in place of a devstack
	OutsideArgs []string        // flags that tell winnow-infer of them
	Work        Work
	Log         *slog.Logger
	Ready       func(Up) // told once everything runs
}

// ErrRunning says that another supervisor has the state folder.
var ErrRunning = errors.New("a stack is running in this folder already")

// Run keeps the stack running until ctx ends or, unless Lasting, its last user is gone.
func Run(ctx context.Context, cfg Config) error {
	if err := os.MkdirAll(filepath.Join(cfg.State, logFolder), 0o700); err != nil {
		return err
	}
	held, err := cfg.take(ctx)
	if errors.Is(err, errLocked) {
		return running(cfg.State)
	}
	if err != nil {
		return err
	}
	defer held.release()
	s, err := newSupervisor(cfg)
	if err != nil {
		return err
	}
	return s.run(ctx)
}

// take locks the state folder. A lasting stack waits for one that stops with its
// last user, and so perhaps stops just now.
func (cfg Config) take(ctx context.Context) (*lock, error) {
	for told := false; ; told = true {
		held, err := takeLock(filepath.Join(cfg.State, lockFile), unix.LOCK_EX|unix.LOCK_NB)
		if !errors.Is(err, errLocked) || !cfg.Lasting {
			return held, err
		}
		if up, err := readUp(cfg.State); err == nil && up.Lasting {
			return nil, errLocked
		}
		if !told {
			cfg.Log.Info("waiting for the stack that another command started to stop")
		}
		if wait.Sleep(ctx, poll) != nil {
			return nil, ctx.Err()
		}
	}
}

func running(state string) error {
	if up, err := readUp(state); err == nil {
		return fmt.Errorf("%w (%s, process %d)", ErrRunning, state, up.PID)
	}
	return fmt.Errorf("%w (%s)", ErrRunning, state)
}

func readUp(state string) (Up, error) {
	var up Up
	text, err := os.ReadFile(filepath.Join(state, upFile))
	if err != nil {
		return up, err
	}
	if err := json.Unmarshal(text, &up); err != nil {
		return up, fmt.Errorf("%s: %w", upFile, err)
	}
	if up.V != 1 {
		return up, fmt.Errorf("%s: version %d, written by another release of winnow; stop that first", upFile, up.V)
	}
	return up, nil
}

// supervisor is one run of Run.
type supervisor struct {
	cfg     Config
	ledger  *ledger
	orphans map[string]Identity
	infers  sync.WaitGroup

	mu      sync.Mutex
	serving map[string]*keeper // by bundle folder
}

func newSupervisor(cfg Config) (*supervisor, error) {
	ledger, err := openLedger(filepath.Join(cfg.State, childrenFile))
	if err != nil {
		return nil, err
	}
	return &supervisor{cfg: cfg, ledger: ledger, orphans: ledger.orphans(), serving: map[string]*keeper{}}, nil
}

// run starts the parts in the order in which they need each other, and stops them in reverse.
func (s *supervisor) run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	services, stopServers, err := s.servers(ctx)
	defer stopServers()
	if err != nil {
		return err
	}
	inferctx, stopInfers := context.WithCancel(context.WithoutCancel(ctx))
	defer func() { stopInfers(); s.infers.Wait() }()
	s.endStrayInfers()
	if !s.cfg.Lasting {
		go s.whileUsed(ctx, cancel)
	}
	return s.work(ctx, inferctx, services)
}

// servers are the services to work on: those outside, or a devstack that runs until it is stopped.
func (s *supervisor) servers(ctx context.Context) (services stack.Services, stop func(), err error) {
	if s.cfg.Outside != nil {
		return *s.cfg.Outside, func() {}, nil
	}
	devctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	devstack := keep(devctx, s.devstack(), s.healthyDevstack(), s.ledger, s.cfg.Log)
	stop = func() { cancel(); <-devstack.done }
	if err := devstack.await(ctx); err != nil {
		return services, stop, err
	}
	services, err = stack.ReadState(s.cfg.State)
	return services, stop, err
}

// work announces the stack and serves until ctx ends.
func (s *supervisor) work(ctx, inferctx context.Context, services stack.Services) error {
	self, err := identify(os.Getpid())
	if err != nil {
		return err
	}
	up := Up{V: 1, Identity: self, Lasting: s.cfg.Lasting, Place: placeOf(s.cfg.Outside), TemporalUI: services.TemporalUI}
	path := filepath.Join(s.cfg.State, upFile)
	if err := writeJSON(path, up); err != nil {
		return err
	}
	defer os.Remove(path)
	s.cfg.Ready(up)
	return s.cfg.Work(ctx, services, func(ctx context.Context, bundle string) error {
		return s.serve(ctx, inferctx, bundle)
	})
}

// serve waits until a winnow-infer runs for the bundle, starting it if none does.
func (s *supervisor) serve(ctx, inferctx context.Context, bundle string) error {
	s.mu.Lock()
	k := s.serving[bundle]
	if k == nil || k.failed() {
		k = keep(inferctx, s.infer(bundle), nil, s.ledger, s.cfg.Log)
		s.serving[bundle] = k
		s.infers.Go(func() { <-k.done })
	}
	s.mu.Unlock()
	return k.await(ctx)
}

// whileUsed cancels the run when the users' lock can be had alone. The lock is
// kept until the process ends, so that newcomers wait for its end.
func (s *supervisor) whileUsed(ctx context.Context, cancel context.CancelCauseFunc) {
	if _, err := takeLock(filepath.Join(s.cfg.State, usersFile), unix.LOCK_EX); err != nil {
		s.cfg.Log.Error("cannot wait for the last user; stop this stack by hand", "err", err)
		return
	}
	if ctx.Err() == nil {
		s.cfg.Log.Info("the last user is gone; stopping")
		cancel(errors.New("no users"))
	}
}

func (s *supervisor) devstack() Child {
	return Child{
		Name: "devstack", Path: s.cfg.Devstack, Args: []string{"--state", s.cfg.State},
		Log: s.logPath("devstack"), Start: 2 * time.Minute, Stop: 20 * time.Second,
	}
}

func (s *supervisor) infer(bundle string) Child {
	name := "infer " + bundle
	args := slices.Concat([]string{"--state", s.cfg.State, "--bundle", bundle}, s.cfg.InferArgs, s.cfg.OutsideArgs)
	return Child{
		Name: name, Path: s.cfg.Infer, Args: args,
		Log: s.logPath("infer-" + filepath.Base(bundle)), Start: 2 * time.Minute, Stop: 20 * time.Second,
	}
}

func (s *supervisor) logPath(name string) string {
	return filepath.Join(s.cfg.State, logFolder, name+".log")
}

// healthyDevstack is the devstack that an earlier supervisor left running, if its
// servers answer; one that does not answer is ended.
func (s *supervisor) healthyDevstack() *Identity {
	id, left := s.orphans["devstack"]
	if !left {
		return nil
	}
	if services, err := stack.ReadState(s.cfg.State); err == nil && services.PID == id.PID && answers(services) {
		return &id
	}
	s.cfg.Log.Warn("the devstack of an earlier supervisor does not answer; ending it", "pid", id.PID)
	s.devstack().end(adopt(id))
	return nil
}

// answers says whether the three servers take connections.
func answers(services stack.Services) bool {
	nats := strings.TrimPrefix(services.NATS.URL, "nats://")
	for _, address := range []string{services.Temporal.Address, nats, services.S3.Endpoint} {
		conn, err := net.DialTimeout("tcp", address, 2*time.Second)
		if err != nil {
			return false
		}
		conn.Close()
	}
	return true
}

// endStrayInfers ends the inference workers an earlier supervisor left: they come
// back when a bundle is needed, and hand over what they hold. So is a devstack
// that this one has no use for.
func (s *supervisor) endStrayInfers() {
	for name, id := range s.orphans {
		if name == "devstack" && s.cfg.Outside == nil {
			continue
		}
		s.cfg.Log.Info("ending a worker of an earlier supervisor", "child", name, "pid", id.PID)
		(Child{Name: name, Stop: 20 * time.Second}).end(adopt(id))
		if err := s.ledger.strike(name); err != nil {
			s.cfg.Log.Error("children's ledger", "err", err)
		}
	}
}
