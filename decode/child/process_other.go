//go:build !linux

package child

import "golang.org/x/sys/unix"

// attributes puts the child in a process group of its own. Elsewhere than on
// Linux the child learns of its parent's death from its socket.
func attributes() *unix.SysProcAttr {
	return &unix.SysProcAttr{Setpgid: true}
}
