package main

import (
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
)

func TestExplain(t *testing.T) {
	t.Parallel()
	onFile := func(err error) error {
		return fmt.Errorf("write: %w", &fs.PathError{Op: "open", Path: "/state/x", Err: err})
	}
	for name, test := range map[string]struct {
		err  error
		want string // the advice begins so; empty: there is none
	}{
		"disk full":     {onFile(syscall.ENOSPC), "The disk or the quota is full: make room"},
		"quota used up": {onFile(syscall.EDQUOT), "The disk or the quota is full: make room"},
		"not writable":  {onFile(syscall.EACCES), "This user must be able to write the state folder"},
		"read-only":     {onFile(syscall.EROFS), "This user must be able to write the state folder"},
		"a port":        {&net.OpError{Op: "listen", Err: os.NewSyscallError("bind", syscall.EACCES)}, ""},
	} {
		said := explain(test.err)
		words, advice, _ := strings.Cut(said, "\n")
		if words != test.err.Error() || !strings.HasPrefix(advice, test.want) || (test.want == "") != (advice == "") {
			t.Errorf("%s: %q, want advice %q", name, said, test.want)
		}
	}
}
