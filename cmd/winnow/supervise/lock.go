package supervise

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// errLocked says that another process holds the lock.
var errLocked = errors.New("locked")

// lock is a flock on a file; the kernel lets go of it when the process dies.
type lock struct{ file *os.File }

// takeLock opens path and locks it as how says (unix.LOCK_EX, LOCK_SH, with
// LOCK_NB returning errLocked instead of waiting).
func takeLock(path string, how int) (*lock, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		err = unix.Flock(int(file.Fd()), how)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if err != nil {
		file.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, errLocked
		}
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return &lock{file}, nil
}

// release lets go; it may be called twice.
func (l *lock) release() { l.file.Close() }
