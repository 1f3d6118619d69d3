// Package audit says whether a job came to what an undisturbed one comes to:
// every item once, with the same answer, no finished encode done again, no
// torn object. It reads what lies in storage and storage's own log, and knows
// nothing of how the job was disturbed.
package audit

import (
	"fmt"
	"math"
	"reflect"

	"github.com/winnow-video/winnow/workflows/job"
)

// tolerance of log-probabilities: questions are answered in other company each time.
const tolerance = 1e-3

// identity of a record.
type identity struct{ id, variant string }

// Records compares a job's records with those of an undisturbed job, and says
// what differs: a line for each missing, doubled, failed or changed one.
func Records(want, got []job.Record) []string {
	var found []string
	have := map[identity]job.Record{}
	for _, r := range got {
		k := identity{r.ID, r.Variant}
		if _, twice := have[k]; twice {
			found = append(found, fmt.Sprintf("%s/%s has more than one record", r.ID, r.Variant))
		}
		have[k] = r
	}
	for _, w := range want {
		k := identity{w.ID, w.Variant}
		r, ok := have[k]
		delete(have, k)
		if !ok {
			found = append(found, fmt.Sprintf("%s/%s has no record", w.ID, w.Variant))
		} else if d := difference(w, r); d != "" {
			found = append(found, fmt.Sprintf("%s/%s %s", w.ID, w.Variant, d))
		}
	}
	for k := range have {
		found = append(found, fmt.Sprintf("%s/%s is no item of the job", k.id, k.variant))
	}
	return found
}

// difference says how a record differs from what it should be; nothing if it does not.
func difference(want, got job.Record) string {
	switch {
	case got.Failure != nil && want.Failure != nil && got.Failure.Code == want.Failure.Code:
		return ""
	case got.Failure != nil:
		return fmt.Sprintf("failed: %s: %s", got.Failure.Code, got.Failure.Detail)
	case got.Result == nil || want.Result == nil:
		return fmt.Sprintf("is %s, undisturbed %s", got.Status, want.Status)
	case !reflect.DeepEqual(got.Answer, want.Answer):
		return fmt.Sprintf("answers %q, undisturbed %q", got.Answer.Text, want.Answer.Text)
	case !reflect.DeepEqual(got.Frames, want.Frames) || got.Tokens != want.Tokens:
		return "saw other frames or tokens"
	}
	if len(got.OptionLogprobs) != len(want.OptionLogprobs) {
		return fmt.Sprintf("has %d log-probabilities, undisturbed %d", len(got.OptionLogprobs), len(want.OptionLogprobs))
	}
	for i, w := range want.OptionLogprobs {
		if g := got.OptionLogprobs[i]; (w == nil) != (g == nil) || w != nil && !(math.Abs(*w-*g) <= tolerance) {
			return fmt.Sprintf("has another log-probability of option %d", i)
		}
	}
	return ""
}
