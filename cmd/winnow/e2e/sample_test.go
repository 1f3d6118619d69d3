package e2e

import (
	"strings"
	"testing"
)

// TestSample runs some items of a manifest before all of it: as a job of its own,
// the same for the same seed, whose encodes the whole job finds.
func TestSample(t *testing.T) {
	r := newRig(t)
	lines := clipLines(r, 6)
	file := r.writeJob("drawn", lines)
	some := r.winnow(0, "run", file, "--sample", "2", "--json")
	if n := len(some.records()); n != 2 || len(r.tokens()) != 2 || !strings.HasPrefix(some.jobID(), "drawn-sample-") {
		t.Errorf("job %s: %d records, %d encodes, want 2 of a job of its own", some.jobID(), n, len(r.tokens()))
	}
	if !strings.Contains(some.err.String(), "a sample of 2 of 6 items: at its pace all of them take about") {
		t.Errorf("stderr does not say how long all would take:\n%s", some.tail())
	}
	again := r.winnow(0, "run", file, "--sample", "2", "--json")
	for i, record := range again.records() {
		if record.ID != some.records()[i].ID {
			t.Errorf("the same seed drew %s, then %s", some.records()[i].ID, record.ID)
		}
	}
	before := stamps(r, r.tokens())
	all := r.winnow(0, "run", file, "--json")
	wantEachOnce(r, all.records(), lines, "rediprune-0.15")
	for path, stamp := range stamps(r, r.tokens()) {
		if was, sampled := before[path]; sampled && was != stamp {
			t.Errorf("%s was encoded again", path)
		}
	}
}
