package main

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"
)

// explain adds what to do to errors whose words are the operating system's.
func explain(err error) error {
	var path *fs.PathError
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("%w\nThe disk or the quota is full: make room, or give a --state on another disk. What is stored already is whole.", err)
	case errors.As(err, &path) && (errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS)):
		return fmt.Errorf("%w\nThis user must be able to write the state folder: change its owner or mode, or give another --state.", err)
	}
	return err
}
