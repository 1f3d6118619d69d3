package e2e

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/winnow-video/winnow/workflows/job"
)

// TestMethods answers by methods of every sort: whole frames left out, tokens
// merged, budgets that differ from frame to frame, with and without the question.
// The demo model looks at 8 frames of 144 tokens.
func TestMethods(t *testing.T) {
	r := newRig(t)
	want := map[string]int{
		"cdpruner-0.15": 8 * 22, "divprune-0.15": 173, "evs-0.2": 230, "dycoke-0.2": 230,
		"vidcom2-0.15": 173, "frames-0.15": 144, "pool-0.15": 8 * 4 * 5,
	}
	variants := []string{"cdpruner-0.15", "divprune-0.15", "evs-0.2", "dycoke-0.2", "vidcom2-0.15", "frames-0.15", "pool-0.15"}
	lines := clipLines(r, 2)
	run := r.start("run", r.writeJob("methods", lines, variants...), "--json")
	run.wait(0)
	wantEachOnce(r, run.records(), lines, variants...)
	wantAllOK(r, run.records())
	for _, one := range run.records() {
		if n := one.Tokens.VisualKept; n != want[one.Variant] || keptOf(one.Frames) != n {
			t.Errorf("%s %s: %d tokens, %d of its frames, want %d", one.ID, one.Variant, n, keptOf(one.Frames), want[one.Variant])
		}
		if one.Variant == "frames-0.15" {
			seen := []int{}
			for i, f := range one.Frames {
				if f.Kept > 0 {
					seen = append(seen, i)
				}
			}
			if diff := cmp.Diff([]int{4}, seen); diff != "" {
				t.Errorf("%s: frames kept (-want +got):\n%s", one.ID, diff)
			}
		}
	}
}

func keptOf(frames []job.Frame) (n int) {
	for _, f := range frames {
		n += f.Kept
	}
	return n
}
