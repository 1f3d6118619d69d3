package checkup

import (
	"slices"
	"strings"
	"testing"
)

// TestJudge reads orders that servers in another state give.
func TestJudge(t *testing.T) {
	t.Parallel()
	many := slices.Repeat([]string{large}, largeQueue)
	for name, test := range map[string]struct {
		order []string
		want  Verdict
		says  string
	}{
		"fair":         {append([]string{urgent, large, small}, many[1:]...), OK, ""},
		"as they came": {append(slices.Clone(many), small, urgent), Warning, "matching.useNewMatcher"},
		"by priority":  {append(append([]string{large, urgent}, many[1:]...), small), Warning, "matching.enableFairness"},
	} {
		r := &report{service: "temporal"}
		r.judge(test.order)
		if f := r.found[0]; f.Verdict != test.want || !strings.Contains(f.Mend, test.says) {
			t.Errorf("%s: %+v, want %s and %q", name, f, test.want, test.says)
		}
	}
}
