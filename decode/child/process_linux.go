package child

import "golang.org/x/sys/unix"

// attributes puts the child in a process group of its own, and has the kernel
// end it should this process die first.
func attributes() *unix.SysProcAttr {
	return &unix.SysProcAttr{Setpgid: true, Pdeathsig: unix.SIGKILL}
}
