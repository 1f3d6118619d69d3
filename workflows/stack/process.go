package stack

import (
	"bytes"
	"fmt"
	"os"
)

// StartTime is field 22 of /proc/<pid>/stat: clock ticks since boot. With it a pid names
// one process for certain, since pids are used again.
func StartTime(pid int) (string, error) {
	file := fmt.Sprintf("/proc/%d/stat", pid)
	stat, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	// Field 2, the program's name in brackets, may hold spaces and brackets.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	const index = 22 - 3
	if len(fields) <= index {
		return "", fmt.Errorf("%s has fewer than 22 fields", file)
	}
	return string(fields[index]), nil
}
