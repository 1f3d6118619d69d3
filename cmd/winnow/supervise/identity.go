package supervise

import "github.com/winnow-video/winnow/workflows/stack"

// Identity is a process for certain: its number and, since numbers are used
// again, the time it started (clock ticks since boot).
type Identity struct {
	PID   int    `json:"pid"`
	Start string `json:"start_time"`
}

func identify(pid int) (Identity, error) {
	start, err := stack.StartTime(pid)
	return Identity{PID: pid, Start: start}, err
}

// Alive says whether that very process still runs.
func (i Identity) Alive() bool {
	now, err := identify(i.PID)
	return err == nil && now == i
}
