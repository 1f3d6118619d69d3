package workflows_test

import (
	"testing"

	"github.com/winnow-video/winnow/workflows"
)

// A window holds at least the videos asked for, in pages that there are, and
// hardly more.
func TestWindowOf(t *testing.T) {
	t.Parallel()
	if w := workflows.WindowOf(0, 9); w != (workflows.Window{}) {
		t.Errorf("of nothing: %+v, want the default", w)
	}
	for _, pages := range []int{1, 2, 3, 1000} {
		for _, videos := range []int{1, 2, 3, 32, 499, 500, 501, 2000, 100_000} {
			w := workflows.WindowOf(videos, pages)
			if open := w.Pages * w.Videos; open < videos || open > videos+w.Pages || w.Pages > pages || w.Pages > 1000 {
				t.Errorf("of %d videos in %d pages: %+v", videos, pages, w)
			}
		}
	}
}
