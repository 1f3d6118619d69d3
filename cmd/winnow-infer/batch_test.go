package main

import (
	"fmt"
	"testing"
)

// A batch that waits for company goes when it has all its questions, of whatever
// job, or all its rows: here the wait itself never ends.
func TestFullBatchDoesNotWait(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		args  []string
		asked int
	}{
		"questions": {[]string{"--max-batch", "3"}, 3},
		"rows":      {[]string{"--max-rows", "1"}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.serve(t, append([]string{"--max-wait", "1h"}, test.args...)...)
			var ends []func() []error
			for i := range test.asked { // one after the other
				ends = append(ends, r.ask(t, r.question(t, fmt.Sprint(name, i), 0.5)))
			}
			for _, end := range ends {
				if err := end()[0]; err != nil {
					t.Error(err)
				}
			}
		})
	}
}
