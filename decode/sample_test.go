package decode

import (
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
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

func TestUniformStaysInWindow(t *testing.T) {
	t.Parallel()
	line := &timeline{times: []float64{0, 0.5, 1, 1.5, 2, 10, 20}}
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
			if diff := cmp.Diff(c.want, uniform(line.window(c.start, c.end), c.count), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestByRateTakesWhatIsOnTheScreen(t *testing.T) {
	t.Parallel()
	steady := make([]float64, 100) // 25 frames a second, in milliseconds as Matroska has them
	for i := range steady {
		steady[i] = math.Round(float64(i)*1000/25) / 1000
	}
	uneven := []float64{0, 0.1, 0.2, 3.05, 3.1}
	for _, c := range []struct {
		name       string
		times      []float64
		w          window
		start, fps float64
		count      int
		want       []int
	}{
		{"one a second", steady, window{0, 100}, 0, 1, 64, []int{0, 25, 50, 75}},
		{"a third of the rate", steady, window{0, 10}, 0, 25. / 3, 64, []int{0, 3, 6, 9}},
		{"more than there are", steady, window{0, 5}, 0, 100, 64, []int{0, 1, 2, 3, 4}},
		{"a frame that lasts is taken once", uneven, window{0, 5}, 0, 1, 64, []int{0, 2}},
		{"from a start between frames", steady, window{26, 100}, 1.01, 1, 64, []int{26, 50, 75}},
		{"over the cap", steady, window{0, 100}, 0, 25, 8, []int{0, 14, 28, 42, 56, 70, 84, 99}},
		{"one frame", []float64{0}, window{0, 1}, 0, 2, 8, []int{0}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(c.want, byRate(c.times, c.w, c.start, c.fps, c.count)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestByKey(t *testing.T) {
	t.Parallel()
	line := &timeline{pts: []int64{0, 1, 2, 3, 4, 5, 6, 7, 8}, keys: []int64{-2, 0, 3, 4, 6, 8}} // one is hidden
	for _, c := range []struct {
		w     window
		count int
		want  []int
	}{
		{window{0, 9}, 8, []int{0, 3, 4, 6, 8}},
		{window{0, 9}, 3, []int{0, 4, 8}},
		{window{1, 8}, 8, []int{3, 4, 6}},
		{window{1, 3}, 8, nil},
	} {
		if diff := cmp.Diff(c.want, byKey(line, c.w, c.count), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%v, %d (-want +got):\n%s", c.w, c.count, diff)
		}
	}
}

func TestByScene(t *testing.T) {
	t.Parallel()
	still := make([]float64, 17)
	cut := slices.Clone(still)
	cut[4], cut[9], cut[10] = 30, 80, 30
	for _, c := range []struct {
		name   string
		scores []float64
		count  int
		want   []int
	}{
		{"nothing happens", still, 4, []int{0, 4, 8, 12}},
		{"every cut", cut, 4, []int{0, 4, 9, 10}},
		{"the hardest cuts", cut, 2, []int{0, 9}},
		{"of equal ones the first", cut, 3, []int{0, 4, 9}},
		{"between cuts", cut, 6, []int{0, 4, 6, 9, 10, 13}},
		{"all there are", []float64{0, 50, 0}, 9, []int{0, 1, 2}},
		{"one", cut, 1, []int{0}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := window{100, 100 + len(c.scores)}
			got := byScene(c.scores, w, c.count)
			for i := range got {
				got[i] -= w.first
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
