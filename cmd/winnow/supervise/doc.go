// Package supervise keeps Winnow's programs running on one machine.
//
// A state folder goes in; out comes a running stack: winnow-devstack, a
// winnow-infer for every bundle in use, and this process as Temporal worker
// beside them. Run is the supervisor (`winnow up`); Attach is everybody else,
// who shares the running stack or has one started.
//
// What is true survives `kill -9` because the kernel keeps it: the supervisor
// holds an exclusive lock on DIR/lock, each user a shared lock on DIR/users.
// The supervisor of a `winnow run` stops when it gets DIR/users exclusively.
// Children are written down in DIR/children.json with their start times, so that
// the next supervisor adopts or ends them.
package supervise
