package supervise

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

const serving = "echo ready; exec sleep 600"

func emptyLedger(t *testing.T) *ledger {
	t.Helper()
	l, err := openLedger(filepath.Join(t.TempDir(), childrenFile))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// kept starts a keeper that ends with the test.
func kept(t *testing.T, child Child, orphan *Identity, l *ledger) (k *keeper, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	k = keep(ctx, child, orphan, l, slog.New(slog.DiscardHandler))
	stop = func() { cancel(); <-k.done }
	t.Cleanup(stop)
	return k, stop
}

func TestKeeperStartsADeadChildAgain(t *testing.T) {
	t.Parallel()
	l := emptyLedger(t)
	child := shell(t, serving)
	k, stop := kept(t, child, nil, l)
	if err := k.await(t.Context()); err != nil {
		t.Fatal(err)
	}
	first := l.orphans()[child.Name]
	if err := syscall.Kill(first.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	second := first
	for deadline := time.Now().Add(time.Minute); second == first || second.PID == 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the killed child did not come back")
		}
		second = l.orphans()[child.Name]
	}
	stop()
	if second.Alive() || len(l.orphans()) > 0 {
		t.Errorf("after the keeper's end %v runs and the ledger has %v, want neither", second, l.orphans())
	}
}

func TestKeeperAdoptsAnOrphan(t *testing.T) {
	t.Parallel()
	l := emptyLedger(t)
	child := shell(t, serving)
	orphan := launched(t, child).Identity
	k, stop := kept(t, child, &orphan, l)
	if err := k.await(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !orphan.Alive() {
		t.Fatal("the orphan was ended, want it adopted")
	}
	stop()
	if orphan.Alive() {
		t.Error("the orphan outlived its keeper")
	}
}

func TestKeeperGivesUpOnAFirstStart(t *testing.T) {
	t.Parallel()
	k, _ := kept(t, shell(t, "exit 1"), nil, emptyLedger(t))
	if err := k.await(t.Context()); err == nil || !k.failed() {
		t.Errorf("await: %v, failed: %v, want an error from a child that never was ready", err, k.failed())
	}
}

func TestLedgerForgetsTheDeadAndForgivesDamage(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), childrenFile)
	l, err := openLedger(path)
	if err != nil {
		t.Fatal(err)
	}
	dead := launched(t, shell(t, "exit 0"))
	<-dead.exited
	alive := launched(t, shell(t, serving))
	for name, id := range map[string]Identity{"dead": dead.Identity, "alive": alive.Identity} {
		if err := l.note(name, id); err != nil {
			t.Fatal(err)
		}
	}
	if l, err = openLedger(path); err != nil {
		t.Fatal(err)
	}
	if got := l.orphans(); len(got) != 1 || got["alive"] != alive.Identity {
		t.Errorf("orphans: %v, want only the living %v", got, alive.Identity)
	}
	if err := os.WriteFile(path, []byte(`{"alive": {"pi`), 0o600); err != nil {
		t.Fatal(err)
	}
	if l, err = openLedger(path); err != nil || len(l.orphans()) != 0 {
		t.Errorf("a damaged ledger: %v, %v, want it empty", l.orphans(), err)
	}
}
