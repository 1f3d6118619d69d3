package decode

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The expectations are numpy's: list(np.linspace(0, total-1, n, dtype=int)).
func TestLinspaceEqualsNumpy(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		total, n int
		want     []int
	}{
		{1, 1, []int{0}},
		{100, 1, []int{0}},
		{2, 2, []int{0, 1}},
		{10, 10, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}},
		{100, 8, []int{0, 14, 28, 42, 56, 70, 84, 99}},
		{31, 23, []int{0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, 16, 17, 19, 20, 21, 23, 24, 25, 27, 28, 30}}, // 11·(30/22) is just short of 15
		{300, 16, []int{0, 19, 39, 59, 79, 99, 119, 139, 159, 179, 199, 219, 239, 259, 279, 299}},
	} {
		if diff := cmp.Diff(c.want, linspace(c.total, c.n)); diff != "" {
			t.Errorf("linspace(%d, %d) (-want +got):\n%s", c.total, c.n, diff)
		}
	}
}

func TestSampleStaysInWindow(t *testing.T) {
	t.Parallel()
	times := []float64{0, 0.5, 1, 1.5, 2, 10, 20}
	at := func(s float64) *float64 { return &s }
	for _, c := range []struct {
		name       string
		start, end *float64
		count      int
		want       []int
	}{
		{"all of fewer", nil, nil, 20, []int{0, 1, 2, 3, 4, 5, 6}},
		{"both ends are included", at(0.5), at(2), 2, []int{1, 4}},
		{"from a start between frames", at(0.6), nil, 3, []int{2, 4, 6}},
		{"to an end between frames", nil, at(1.9), 2, []int{0, 3}},
		{"one frame", at(10), at(10), 8, []int{5}},
		{"no frame between", at(3), at(9), 8, nil},
		{"past the last", at(21), nil, 8, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(c.want, sample(times, c.start, c.end, c.count)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
