// Package workers does what package workflows orders: one file a stage. Page
// lines and artifacts come out of the store, artifacts and records go in; what
// returns to a workflow is keys, counts and typed failures.
//
// It decodes through winnow-decode (a child process), prunes by itself, and has
// winnow-infer encode and answer through package bus. Run serves a process's
// share of the task queues.
package workers
