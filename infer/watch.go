package infer

import (
	"time"

	"github.com/winnow-video/winnow/workflows/job"
)

// Watcher is told what a Server does. Its methods are called side by side.
type Watcher interface {
	// Taken tells of a request that was taken off the queue, where it had waited.
	Taken(stage job.Stage, waited time.Duration)
	// Ran tells of requests that ran together: rows of prompts, or one clip's frames.
	Ran(stage job.Stage, requests, rows int, took time.Duration)
	// Finished tells how a request ended; nil: its object lies in the store.
	Finished(stage job.Stage, failure *job.Failure)
	// Said tells of the tokens of a prompt that was answered, and of its answer.
	Said(prompt, completion int)
}

// unwatched is a Watcher that nobody hears.
type unwatched struct{}

func (unwatched) Taken(job.Stage, time.Duration)         {}
func (unwatched) Ran(job.Stage, int, int, time.Duration) {}
func (unwatched) Finished(job.Stage, *job.Failure)       {}
func (unwatched) Said(int, int)                          {}
