package e2e

import "testing"

// TestAnotherKeepEncodesNothing runs a job at one keep and then at another: the
// second finds every video's tokens, whatever it asks of them.
func TestAnotherKeepEncodesNothing(t *testing.T) {
	r := newRig(t)
	lines := clipLines(r, 3)
	first := r.start("run", r.writeJob("first", lines), "--json")
	first.wait(0)
	again := append(lines, question("other", lines[0].Video))
	again[len(again)-1].Question = "Is there a red circle?"
	second := r.start("run", r.writeJob("second", again, "rediprune-0.3"), "--json")
	second.wait(0)
	wantAllOK(r, append(first.records(), second.records()...))
	for _, one := range first.records() {
		if one.Run.Cache.Tokens {
			t.Errorf("%s: its tokens were there before the first job", one.ID)
		}
	}
	for _, one := range second.records() {
		if !one.Run.Cache.Clip || !one.Run.Cache.Tokens || one.Run.Timing.Decode != 0 || one.Run.Timing.Encode != 0 {
			t.Errorf("%s: cache %+v, timing %+v; want neither decoded nor encoded", one.ID, one.Run.Cache, one.Run.Timing)
		}
	}
	wantEachOnce(r, second.records(), again, "rediprune-0.3")
}
