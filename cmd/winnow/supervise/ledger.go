package supervise

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// ledger is DIR/children.json: which children run, by name.
type ledger struct {
	path string
	mu   sync.Mutex
	rows map[string]Identity
}

// openLedger reads what an earlier supervisor left. A damaged file counts as empty:
// its writer replaces it atomically, so damage means that nobody can know more.
func openLedger(path string) (*ledger, error) {
	l := &ledger{path: path, rows: map[string]Identity{}}
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if json.Unmarshal(text, &l.rows) != nil {
		l.rows = map[string]Identity{}
	}
	return l, nil
}

// orphans are the children that still run.
func (l *ledger) orphans() map[string]Identity {
	l.mu.Lock()
	defer l.mu.Unlock()
	alive := map[string]Identity{}
	for name, id := range l.rows {
		if id.Alive() {
			alive[name] = id
		}
	}
	return alive
}

func (l *ledger) note(name string, id Identity) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rows[name] = id
	return writeJSON(l.path, l.rows)
}

func (l *ledger) strike(name string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.rows, name)
	return writeJSON(l.path, l.rows)
}

// writeJSON replaces path atomically.
func writeJSON(path string, v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	temp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name())
	_, err = temp.Write(append(text, '\n'))
	if err = errors.Join(err, temp.Close()); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return os.Rename(temp.Name(), path)
}
