package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"
)

// usage is what a process has used since it began.
type usage struct {
	cpu      time.Duration // user and system, of all threads
	children time.Duration // CPU of children that it waited for
	rss      int64         // bytes resident now
}

// clockTick is the unit of CPU time that Linux tells, on every machine.
const clockTick = 10 * time.Millisecond

// usageOf reads /proc/<pid>/stat: fields 14 to 17 are CPU time in clock ticks,
// field 24 is resident pages.
func usageOf(pid int) (usage, error) {
	file := fmt.Sprintf("/proc/%d/stat", pid)
	text, err := os.ReadFile(file)
	if err != nil {
		return usage{}, err
	}
	// Field 2, the program's name in brackets, may hold spaces and brackets.
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	field := func(number int) int64 {
		const third = 3
		n, badly := strconv.ParseInt(string(fields[number-third]), 10, 64)
		if badly != nil {
			err = fmt.Errorf("%s: field %d: %w", file, number, badly)
		}
		return n
	}
	u := usage{
		cpu:      time.Duration(field(14)+field(15)) * clockTick,
		children: time.Duration(field(16)+field(17)) * clockTick,
		rss:      field(24) * int64(os.Getpagesize()),
	}
	return u, err
}

// uses is what several processes have used.
func uses(pids ...int) ([]usage, error) {
	all := make([]usage, len(pids))
	for i, pid := range pids {
		var err error
		if all[i], err = usageOf(pid); err != nil {
			return nil, err
		}
	}
	return all, nil
}
