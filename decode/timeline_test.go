package decode

import (
	"math"
	"testing"

	"github.com/asticode/go-astiav"
	"github.com/google/go-cmp/cmp"
)

func TestTimelineNextIsAscending(t *testing.T) {
	t.Parallel()
	var line timeline
	for _, pts := range []int64{astiav.NoPtsValue, 5, 5, 3, astiav.NoPtsValue, 50} {
		line.pts = append(line.pts, line.next(pts))
	}
	if diff := cmp.Diff([]int64{0, 5, 10, 15, 20, 50}, line.pts); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTimelineFind(t *testing.T) {
	t.Parallel()
	line := timeline{pts: []int64{10, 20, 40}}
	for pts, want := range map[int64]int{10: 0, 40: 2, 30: -1, 9: -1, 41: -1, math.MinInt64: -1} {
		if got := line.find(pts); got != want {
			t.Errorf("find(%d) = %d, want %d", pts, got, want)
		}
	}
}

func TestTimelineDuration(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		times []float64
		want  float64
	}{{nil, 0}, {[]float64{0}, 0}, {[]float64{0, 1}, 2}, {[]float64{0, 0.5, 1, 1.5}, 2}} {
		if got := (&timeline{times: c.times}).duration(); got != c.want {
			t.Errorf("duration of %v = %g, want %g", c.times, got, c.want)
		}
	}
}
