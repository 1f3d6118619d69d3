// Package life says how long artifacts stay in storage.
//
// Whoever finds an artifact that has lain for a while marks its kind as used;
// a sweep removes what is older than its kind's age and was not used within
// it. So a sweep never races a running job, and needs to know of none. Records
// and results are no artifacts: nothing here touches them. What videos report
// goes when their page has written it into its records.
package life

import (
	"fmt"
	"time"

	"github.com/winnow-video/winnow/workflows/artifact"
)

// MarkEvery is how old a mark or an artifact may be before its use is marked again.
const MarkEvery = 30 * time.Minute

// LeastAge is the least age that may be asked for: what is in use is marked well within it.
const LeastAge = 2 * MarkEvery

// Ages is how long artifacts of each kind stay after they were made or last used.
type Ages map[artifact.Kind]time.Duration

// Defaults keeps longest what costs most to make again for its size.
func Defaults() Ages {
	const day = 24 * time.Hour
	return Ages{
		artifact.KindClip:   day,
		artifact.KindTokens: 30 * day,
		artifact.KindKept:   7 * day,
		artifact.KindAnswer: 30 * day,
	}
}

// Validate names the first age that is too short to be kept clear of running jobs.
func (a Ages) Validate() error {
	for _, kind := range Kinds {
		if a[kind] < LeastAge {
			return fmt.Errorf("age of %s %v: want at least %v, since running jobs mark what they use every %v",
				kind, a[kind], LeastAge, MarkEvery)
		}
	}
	return nil
}

// Kinds are all kinds, in the order in which they are made of each other.
var Kinds = [...]artifact.Kind{artifact.KindClip, artifact.KindTokens, artifact.KindKept, artifact.KindAnswer}
