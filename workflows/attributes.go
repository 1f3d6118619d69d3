package workflows

import "go.temporal.io/sdk/temporal"

// Search attributes of a Job, by which Temporal's console and command find it.
// `winnow doctor` makes them where they are absent; a job runs without them.
var (
	JobAttribute  = temporal.NewSearchAttributeKeyKeyword("WinnowJob")  // id
	TeamAttribute = temporal.NewSearchAttributeKeyKeyword("WinnowTeam") // as its file says; empty: none
)
