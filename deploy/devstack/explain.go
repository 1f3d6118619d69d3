package main

import (
	"errors"
	"io/fs"
	"syscall"
)

// explain puts an error into words, and adds what to do where the words are the operating system's.
func explain(err error) string {
	var path *fs.PathError
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return err.Error() + "\nThe disk or the quota is full: make room, or give a --state on another disk. What is stored already is whole."
	case errors.As(err, &path) && (errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS)):
		return err.Error() + "\nThis user must be able to write the state folder: change its owner or mode, or give another --state."
	}
	return err.Error()
}
