package supervise

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
)

// Identity is a process for certain: its number and, since numbers are used
// again, the time it started (clock ticks since boot).
type Identity struct {
	PID   int    `json:"pid"`
	Start string `json:"start_time"`
}

// identify reads field 22 of /proc/<pid>/stat. Fields are counted from the last
// parenthesis: the second one, the program's name, may hold anything.
func identify(pid int) (Identity, error) {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return Identity{}, err
	}
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 20 {
		return Identity{}, fmt.Errorf("process %d: stat has %d fields", pid, len(fields))
	}
	if fields[0][0] == 'Z' {
		return Identity{}, fmt.Errorf("process %d: %w", pid, os.ErrProcessDone)
	}
	return Identity{PID: pid, Start: string(fields[19])}, nil
}

// Alive says whether that very process still runs.
func (i Identity) Alive() bool {
	now, err := identify(i.PID)
	return err == nil && now == i
}
