package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// minFreeBytes is the room a state folder needs at start: below it the servers would
// fail half-way, in obscure words. NATS gives streams three quarters of the free disk.
const minFreeBytes = 512 << 20

// folder is a state folder, locked for this process until close.
type folder struct {
	path string // absolute: the S3 server changes the working directory
	lock *os.File
}

// openFolder makes the folder if it is missing and locks it.
func openFolder(path string) (*folder, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("state folder: %w", err)
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("the state folder cannot be made, give another --state: %w", err)
	}
	if err := requireSpace(path, minFreeBytes); err != nil {
		return nil, err
	}
	lock, err := lockFile(filepath.Join(path, "devstack.lock"))
	if err != nil {
		return nil, err
	}
	return &folder{path: path, lock: lock}, nil
}

// close unlocks the folder. The lock file stays: removing it would let two processes lock two files of one name.
func (f *folder) close() { _ = f.lock.Close() }

// file is the path of a file or folder in f.
func (f *folder) file(name string) string { return filepath.Join(f.path, name) }

// lockFile locks path for this process, or says which process has it. The kernel lets go of the lock when its process ends,
// however it ends.
func lockFile(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the lock: %w", err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		defer file.Close()
		return nil, lockError(path, err)
	}
	if err := errors.Join(file.Truncate(0), writePID(file)); err != nil {
		file.Close()
		return nil, fmt.Errorf("write the lock: %w", err)
	}
	return file, nil
}

func writePID(file *os.File) error {
	_, err := fmt.Fprintln(file, os.Getpid())
	return err
}

func lockError(path string, err error) error {
	if !errors.Is(err, syscall.EWOULDBLOCK) {
		return fmt.Errorf("lock %s: %w", path, err)
	}
	pid, _ := os.ReadFile(path)
	return fmt.Errorf("another winnow-devstack, pid %s, runs on %s: use it (its addresses are in devstack.json there), stop it, or give another --state",
		strings.TrimSpace(string(pid)), filepath.Dir(path))
}

// requireSpace refuses a folder whose filesystem has less than need bytes free for us.
func requireSpace(path string, need uint64) error {
	var stat syscall.Statfs_t
	if err := syscall.Statfs(path, &stat); err != nil {
		return fmt.Errorf("free space of %s: %w", path, err)
	}
	if free := stat.Bavail * uint64(stat.Bsize); free < need {
		return fmt.Errorf("the disk of %s has %d MiB free, and %d MiB are needed: make room, or give a --state on another disk",
			path, free>>20, need>>20)
	}
	return nil
}

// readJSON reads a file of f into v and says whether it was there.
func (f *folder) readJSON(name string, v any) (bool, error) {
	data, err := os.ReadFile(f.file(name))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if err := json.Unmarshal(data, v); err != nil {
		return false, fmt.Errorf("%s is damaged (%w): remove it, and a new one is made", f.file(name), err)
	}
	return true, nil
}

// writeJSON puts v into a file of f, mode 0600, wholly or not at all.
func (f *folder) writeJSON(name string, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("encode %s: %w", name, err)
	}
	return f.write(name, append(data, '\n'))
}

func (f *folder) write(name string, data []byte) error {
	tmp, err := os.CreateTemp(f.path, name+".*.tmp") // mode 0600
	if err != nil {
		return err
	}
	_, err = tmp.Write(data)
	err = errors.Join(err, tmp.Sync(), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), f.file(name))
	}
	if err != nil {
		_ = os.Remove(tmp.Name())
		return fmt.Errorf("write %s: %w", f.file(name), err)
	}
	return nil
}
