// Package workflows is the order of things: a Job runs Pages, a Page runs
// Videos, a Video walks its stages. It is deterministic code only; what touches
// the world is an Activity, named and typed here and done by package workers.
//
// A Job's pages go in by reference and its record files come out; between them
// only keys, counts and failures travel. Package control starts Jobs, the
// packages job, artifact and bus hold the words they are described in.
//
// # Changing them while jobs run
//
// A Job may run for weeks, begun by one release and ended by another. What a
// release orders is replayed by all later ones: testdata has a folder of histories
// for every release, which TestReplay walks, and which are never recorded anew.
// Those of the next release lie in testdata/next: `go test ./workers -record` writes
// them, and releasing renames the folder to the release. v0 is from before the first.
//
// A change that would order anything else than what a history holds is guarded:
//   - by the input, where it can be: a field that older inputs lack (JobInput.Budget)
//     keeps a job to the rules that it began with, and costs no event. It is no guard
//     where a worker of an older release takes up what a newer one began, which worker
//     versioning prevents;
//   - else by workflow.GetVersion, with a change id that is never used again and the
//     old branch kept until no history of testdata takes it. Its place is the point
//     where the old order and the new one part, never the workflow's first line.
//
// Activities are not replayed. What they are given may grow by fields that older
// workers can do without; where they cannot, Version rises.
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
	SignalPause  = "pause"  // no new Video starts; a Steer
	SignalResume = "resume" // they start again; a Steer
	SignalAdded  = "added"  // lines were added to its manifest
	SignalReport = "report" // a Page tells what the budget is spent on; a Report
	QueryStatus  = "status" // answers a Status
)
