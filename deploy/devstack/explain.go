package main

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"
)

// explain adds what to do to errors whose words come from the operating system.
func explain(err error) error {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("%w\nThe disk or quota is full: make room, or give a --state on another disk. What is stored already is whole.", err)
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return fmt.Errorf("%w\nThe state folder must be writable for this user: change its owner or mode, or give another --state.", err)
	case errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.ENOENT):
		return fmt.Errorf("%w\nThe state folder cannot be made there: give another --state.", err)
	}
	return err
}
