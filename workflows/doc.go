// Package workflows is the order of things: a Job runs Pages, a Page runs
// Videos, a Video walks its stages. It is deterministic code only; what touches
// the world is an Activity, named and typed here and done by package workers.
//
// A Job's pages go in by reference and its record files come out; between them
// only keys, counts and failures travel. Package control starts Jobs, the
// packages job, artifact and bus hold the words they are described in.
package workflows

// Version is the version of every workflow's and activity's input; others are refused.
const Version = 1

// Task queues.
const (
	QueueMain   = "winnow"        // workflows, and the activities that need a CPU for a moment
	QueueCall   = "winnow-call"   // activities that wait for inference; many fit into one process
	QueueDecode = "winnow-decode" // activities that run a decoder; one a core
)

// Workflow types.
const (
	JobType   = "Job"
	PageType  = "Page"
	VideoType = "Video"
)

// What a running Job listens to.
const (
	SignalPause  = "pause"  // no new Video starts
	SignalResume = "resume" // they start again
	QueryStatus  = "status" // answers a Status
)
